//! Removes jobs that have not started.

use futures::{StreamExt, TryStreamExt};
use naq_connection::Connection;

use super::large::{large_jobs, release_gone};
use super::nodes::cancel_nodes;
use crate::JobsError;
use crate::model::QueueName;
use crate::server::{
    ConsumerState, Link, consumer_states, count, delete_sequence, page, purge as remove,
};
use crate::wire::{later_patterns, parked_pattern, queue_patterns};

/// Messages that are removed at the same time, one request each.
const AT_ONCE: usize = 64;

/// Messages that are looked at in one page.
const PAGE: usize = 1000;

/// What a purge removes. The default: the jobs that wait for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgePlan {
    /// Jobs that wait for a worker.
    pub waiting: bool,
    /// Jobs that are due later, retries included.
    pub scheduled: bool,
    /// Jobs that were put aside.
    pub parked: bool,
    /// Jobs that workers have as well: they run to their end, but nobody runs them again if their worker dies.
    pub running: bool,
    /// Counts, and removes nothing.
    pub is_dry_run: bool,
}

impl Default for PurgePlan {
    fn default() -> Self {
        Self {
            waiting: true,
            scheduled: false,
            parked: false,
            running: false,
            is_dry_run: false,
        }
    }
}

impl PurgePlan {
    /// Where the jobs that it may remove lie.
    fn patterns(self, queue: &QueueName) -> Vec<String> {
        let (queue, mut all) = (queue.as_str(), Vec::new());
        if self.waiting || self.running {
            all.extend(queue_patterns(queue));
        }
        if self.scheduled {
            all.extend(later_patterns(queue));
        }
        if self.parked {
            all.push(parked_pattern(queue));
        }
        all
    }
}

pub(super) async fn purge(
    link: &Link,
    queue: &QueueName,
    plan: PurgePlan,
) -> Result<u64, JobsError> {
    let conn = link.lease("purge a queue").await?;
    if plan.is_dry_run {
        return removed(&conn, link, queue, plan).await;
    }
    let large = large_jobs(&conn, link, &plan.patterns(queue)).await?;
    let removed = removed(&conn, link, queue, plan).await?;
    release_gone(&conn, link, &large).await?;
    Ok(removed)
}

/// Removes the messages, or counts them.
async fn removed(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
    plan: PurgePlan,
) -> Result<u64, JobsError> {
    let names = link.names();
    let (mut whole, mut removed) = (Vec::new(), 0);
    if plan.running {
        whole.extend(queue_patterns(queue.as_str()));
    } else if plan.waiting {
        removed += waiting(conn, link, queue, plan).await?;
    }
    if plan.scheduled {
        whole.extend(later_patterns(queue.as_str()));
    }
    if plan.parked {
        whole.push(parked_pattern(queue.as_str()));
    }
    let stream = names.jobs_stream();
    for pattern in whole {
        let filter = names.filter(&pattern);
        removed += if plan.is_dry_run {
            count(conn, &stream, &filter).await?
        } else {
            cancel_nodes(conn, link, &filter, 0).await? + remove(conn, &stream, &filter).await?
        };
    }
    Ok(removed)
}

/// The waiting jobs of each priority.
async fn waiting(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
    plan: PurgePlan,
) -> Result<u64, JobsError> {
    let names = link.names();
    let stream = names.jobs_stream();
    let consumers = consumer_states(conn, link).await?;
    let mut removed = 0;
    for pattern in queue_patterns(queue.as_str()) {
        let filter = names.filter(&pattern);
        let consumer = consumers
            .iter()
            .find(|consumer| consumer.filters().any(|one| one == filter));
        let in_hand = consumer.map_or(0, |consumer| consumer.num_ack_pending);
        if !plan.is_dry_run {
            let from = consumer.filter(|_| in_hand > 0);
            let from = from.map_or(0, |consumer| consumer.delivered.stream_seq + 1);
            removed += cancel_nodes(conn, link, &filter, from).await?;
        }
        removed += match (consumer, plan.is_dry_run) {
            (Some(consumer), true) => beyond(conn, link, &filter, consumer).await?,
            (None, true) => count(conn, &stream, &filter).await?,
            (Some(consumer), false) if in_hand > 0 => {
                one_by_one(conn, link, &filter, consumer.delivered.stream_seq + 1).await?
            }
            (_, false) => remove(conn, &stream, &filter).await?,
        };
    }
    Ok(removed)
}

/// How many were not delivered yet.
async fn beyond(
    conn: &Connection,
    link: &Link,
    filter: &str,
    consumer: &ConsumerState,
) -> Result<u64, JobsError> {
    if consumer.filters().count() == 1 {
        return Ok(consumer.num_pending);
    }
    let next = consumer.delivered.stream_seq + 1;
    let found = crate::server::count_from(conn, &link.names().jobs_stream(), filter, next).await?;
    Ok(found.0)
}

/// Removes what lies from `from` on, and nothing before it.
async fn one_by_one(
    conn: &Connection,
    link: &Link,
    filter: &str,
    from: u64,
) -> Result<u64, JobsError> {
    let stream = link.names().jobs_stream();
    let (mut removed, mut next) = (0, Some(from));
    while let Some(from) = next {
        let part = page(conn, &stream, filter, from, PAGE).await?;
        next = part.next;
        let gone = futures::stream::iter(part.messages)
            .map(|stored| delete_sequence(conn, &stream, stored.sequence))
            .buffer_unordered(AT_ONCE);
        removed += gone
            .try_fold(0, async |sum, gone| Ok(sum + u64::from(gone)))
            .await?;
    }
    Ok(removed)
}

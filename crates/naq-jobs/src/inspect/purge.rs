//! Removes jobs that have not started.
//!
//! What a consumer gives out goes in one request only where that is safe (`server/removal.rs`): nothing is in hand, and the stream is on
//! one node. Else one by one.

use futures::{StreamExt, TryStreamExt};
use naq_connection::Connection;

use super::large::{large_jobs, release_gone};
use super::nodes::cancel_nodes;
use crate::JobsError;
use crate::model::QueueName;
use crate::server::{
    ConsumerState, Link, consumer_states, count, count_from, delete_sequence, is_replicated, page,
    purge as remove,
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

/// Does what the plan says; `told` hears how many are gone so far.
pub(super) async fn purge(
    link: &Link,
    queue: &QueueName,
    plan: PurgePlan,
    told: &mut impl FnMut(u64),
) -> Result<u64, JobsError> {
    let conn = link.lease("purge a queue").await?;
    let names = link.names();
    let mut sweep = Sweep {
        conn: &conn,
        link,
        plan,
        is_replicated: is_replicated(&conn, &names.jobs_stream()).await?,
        removed: 0,
        told,
    };
    let large = match plan.is_dry_run {
        true => Vec::new(),
        false => large_jobs(&conn, link, &plan.patterns(queue)).await?,
    };
    if plan.waiting || plan.running {
        let consumers = consumer_states(&conn, link).await?;
        for pattern in queue_patterns(queue.as_str()) {
            sweep.given_out(&names.filter(&pattern), &consumers).await?;
        }
    }
    if plan.scheduled {
        for pattern in later_patterns(queue.as_str()) {
            sweep.kept(&names.filter(&pattern)).await?;
        }
    }
    if plan.parked {
        let filter = names.filter(&parked_pattern(queue.as_str()));
        sweep.kept(&filter).await?;
    }
    let removed = sweep.removed;
    release_gone(&conn, link, &large).await?;
    Ok(removed)
}

/// Goes from one filter to the next.
struct Sweep<'a, T> {
    conn: &'a Connection,
    link: &'a Link,
    plan: PurgePlan,
    /// Whether the stream of jobs is on more than one node.
    is_replicated: bool,
    removed: u64,
    told: &'a mut T,
}

impl<T: FnMut(u64)> Sweep<'_, T> {
    /// Jobs that no consumer gives out.
    async fn kept(&mut self, filter: &str) -> Result<(), JobsError> {
        if self.plan.is_dry_run {
            let found = count(self.conn, &self.stream(), filter).await?;
            self.gone(found);
            return Ok(());
        }
        self.cancel_nodes(filter, 0).await?;
        self.at_once(filter).await
    }

    /// Jobs that wait for a worker, and those that workers have if the plan says so.
    async fn given_out(
        &mut self,
        filter: &str,
        consumers: &[ConsumerState],
    ) -> Result<(), JobsError> {
        let mut consumers = consumers.iter();
        let consumer = consumers.find(|consumer| consumer.filters().any(|one| one == filter));
        let in_hand = consumer.filter(|one| one.num_ack_pending > 0);
        let spared = if self.plan.running { None } else { in_hand };
        if self.plan.is_dry_run {
            let found = match consumer {
                Some(consumer) if !self.plan.running => self.beyond(filter, consumer).await?,
                _ => count(self.conn, &self.stream(), filter).await?,
            };
            self.gone(found);
            return Ok(());
        }
        let from = spared.map_or(0, |consumer| consumer.delivered.stream_seq + 1);
        self.cancel_nodes(filter, from).await?;
        match spared.is_none() && !self.is_replicated {
            true => self.at_once(filter).await,
            false => self.one_by_one(filter, from).await,
        }
    }

    /// How many were not delivered yet.
    async fn beyond(&self, filter: &str, consumer: &ConsumerState) -> Result<u64, JobsError> {
        if consumer.filters().count() == 1 {
            return Ok(consumer.num_pending);
        }
        let next = consumer.delivered.stream_seq + 1;
        Ok(count_from(self.conn, &self.stream(), filter, next).await?.0)
    }

    async fn cancel_nodes(&mut self, filter: &str, from: u64) -> Result<(), JobsError> {
        let cancelled = cancel_nodes(self.conn, self.link, filter, from).await?;
        self.gone(cancelled);
        Ok(())
    }

    async fn at_once(&mut self, filter: &str) -> Result<(), JobsError> {
        let gone = remove(self.conn, &self.stream(), filter).await?;
        self.gone(gone);
        Ok(())
    }

    /// Removes what lies from `from` on, and nothing before it.
    async fn one_by_one(&mut self, filter: &str, from: u64) -> Result<(), JobsError> {
        let stream = self.stream();
        let mut next = Some(from);
        while let Some(from) = next {
            let part = page(self.conn, &stream, filter, from, PAGE).await?;
            next = part.next;
            let gone = futures::stream::iter(part.messages)
                .map(|stored| delete_sequence(self.conn, &stream, stored.sequence))
                .buffer_unordered(AT_ONCE)
                .try_fold(0, async |sum, gone| Ok(sum + u64::from(gone)))
                .await?;
            self.gone(gone);
        }
        Ok(())
    }

    fn stream(&self) -> String {
        self.link.names().jobs_stream()
    }

    fn gone(&mut self, more: u64) {
        self.removed += more;
        (self.told)(self.removed);
    }
}

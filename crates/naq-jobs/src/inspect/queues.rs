//! The depth of the queues.

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures::{StreamExt, TryStreamExt};
use naq_connection::Connection;

use super::workers::{WorkerInfo, workers};
use crate::JobsError;
use crate::model::QueueName;
use crate::server::{
    ConsumerState, Link, consumer_states, count, first_from, oldest, read_rfc3339,
};
use crate::wire::{Names, later_patterns, parked_pattern, queue_patterns};

/// Queues that are counted at the same time.
const AT_ONCE: usize = 16;

/// The oldest jobs that are looked at for queues that nobody ever served: so many, and not more bytes.
const OLDEST: (usize, usize) = (256, 512 * 1024);

/// How deep a queue is, and who works on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueInfo {
    /// Its name.
    pub name: QueueName,
    /// Jobs that wait for a worker, of all priorities.
    pub waiting: u64,
    /// Jobs that workers have. One whose worker died is among them until it is delivered again.
    pub in_flight: u64,
    /// Those of `in_flight` that run, as the workers showed half a second ago. The others wait in their workers for a place of
    /// their queue, or are being settled.
    pub running: u64,
    /// Jobs that are due later, retries included.
    pub scheduled: u64,
    /// Jobs that were put aside until they are released.
    pub parked: u64,
    /// Dead letters.
    pub dead: u64,
    /// Workers that serve it and are not stopping.
    pub workers: u32,
    /// Jobs that those workers may run at the same time, of all their queues.
    pub slots: u32,
    /// Jobs that those workers run now, of all their queues.
    pub busy: u32,
    /// When the oldest waiting job was stored; `None` if none waits.
    pub oldest_waiting: Option<SystemTime>,
    /// Deliveries since the queue was first served; grows for ever.
    pub delivered: u64,
    /// Deliveries that are no longer in flight; grows for ever. The difference of two readings over their
    /// time is the rate.
    pub settled: u64,
    /// Whether the server delivers nothing of it at the moment.
    pub is_paused: bool,
}

/// Some queues, and where to go on.
#[derive(Debug, Clone)]
pub struct QueuePage {
    /// The queues, by name.
    pub queues: Vec<QueueInfo>,
    /// Pass it to [`crate::Jobs::queue_page`] for the next page; `None` at the end.
    pub next: Option<QueueName>,
}

/// What is read once for all queues.
struct Survey {
    conn: Connection,
    consumers: BTreeMap<String, Vec<ConsumerState>>,
    workers: Vec<WorkerInfo>,
    used: Used,
}

/// Which places are used at all, by any queue: what is not need not be counted.
struct Used {
    queue: [bool; 6],
    later: [bool; 2],
    parked: bool,
    dead: bool,
}

/// The queues behind `after`, at most `limit`.
pub(super) async fn queues(
    link: &Link,
    after: Option<&QueueName>,
    limit: usize,
) -> Result<QueuePage, JobsError> {
    let survey = survey(link).await?;
    let mut names = known(link, &survey).await?;
    names.retain(|name| after.is_none_or(|after| name > after));
    let is_last = names.len() <= limit;
    names.truncate(limit);
    let next = names.last().filter(|_| !is_last).cloned();
    let counted = futures::stream::iter(names)
        .map(|name| measured(link, &survey, name))
        .buffered(AT_ONCE);
    Ok(QueuePage {
        queues: counted.try_collect().await?,
        next,
    })
}

/// One queue, known or not.
pub(super) async fn queue(link: &Link, name: &QueueName) -> Result<QueueInfo, JobsError> {
    let survey = survey(link).await?;
    measured(link, &survey, name.clone()).await
}

async fn survey(link: &Link) -> Result<Survey, JobsError> {
    let conn = link.lease("look at the queues").await?;
    let mut consumers = BTreeMap::<String, Vec<ConsumerState>>::new();
    for consumer in consumer_states(&conn, link).await? {
        let queue = consumer
            .filters()
            .find_map(|filter| queue_of(link.names(), filter));
        if let Some(queue) = queue.map(str::to_owned) {
            consumers.entry(queue).or_default().push(consumer);
        }
    }
    let workers = workers(&conn, link).await?;
    let used = used(&conn, link).await?;
    Ok(Survey {
        conn,
        consumers,
        workers,
        used,
    })
}

/// The queue whose jobs the filter of a consumer is for.
fn queue_of<'a>(names: &Names, filter: &'a str) -> Option<&'a str> {
    let parts: Vec<&str> = names.below(filter)?.split('.').collect();
    match parts[..] {
        ["queue" | "high" | "low", queue, "*"] | ["unique", queue, _, "*", "*"] => Some(queue),
        _ => None,
    }
}

async fn used(conn: &Connection, link: &Link) -> Result<Used, JobsError> {
    let names = link.names();
    let stream = names.jobs_stream();
    let any = async |pattern: &str| {
        let found = first_from(conn, &stream, &names.filter(pattern), 0).await?;
        Ok::<_, JobsError>(found.is_some())
    };
    let mut queue = [false; 6];
    for (is_used, pattern) in queue.iter_mut().zip(queue_patterns("*")) {
        *is_used = any(&pattern).await?;
    }
    let mut later = [false; 2];
    for (is_used, pattern) in later.iter_mut().zip(later_patterns("*")) {
        *is_used = any(&pattern).await?;
    }
    let dead = first_from(conn, &names.dead_stream(), &names.dead_filter(None), 0).await?;
    Ok(Used {
        queue,
        later,
        parked: any(&parked_pattern("*")).await?,
        dead: dead.is_some(),
    })
}

/// The names of all queues that are known, in order.
async fn known(link: &Link, survey: &Survey) -> Result<Vec<QueueName>, JobsError> {
    let names = link.names();
    let settings = &link.settings().queues;
    let mut known: Vec<String> = survey.consumers.keys().cloned().collect();
    known.push(settings.default.clone());
    known.extend(settings.configs.keys().cloned());
    for worker in &survey.workers {
        known.extend(worker.record.queues.iter().cloned());
    }
    for pattern in queue_patterns("*").iter().take(3) {
        let (stream, filter) = (names.jobs_stream(), names.filter(pattern));
        let jobs = oldest(&survey.conn, &stream, &filter, OLDEST.0, OLDEST.1).await?;
        known.extend(jobs.into_iter().filter_map(|job| {
            Names::parse(&job.subject).map(|(queue, _)| queue.as_str().to_owned())
        }));
    }
    known.sort_unstable();
    known.dedup();
    Ok(known
        .into_iter()
        .filter_map(|name| QueueName::new(name).ok())
        .collect())
}

async fn measured(link: &Link, survey: &Survey, name: QueueName) -> Result<QueueInfo, JobsError> {
    let names = link.names();
    let (conn, used) = (&survey.conn, &survey.used);
    let mut info = staffed(&survey.workers, name);
    let consumers = survey.consumers.get(info.name.as_str());
    let consumers = consumers.map_or(&[][..], Vec::as_slice);
    for consumer in consumers {
        served(conn, link, consumer, &mut info).await?;
    }
    // What the workers show may be older than what the consumers say.
    info.running = info.running.min(info.in_flight);
    let stream = names.jobs_stream();
    for (pattern, is_used) in queue_patterns(info.name.as_str()).iter().zip(used.queue) {
        let filter = names.filter(pattern);
        let is_served = consumers
            .iter()
            .any(|consumer| consumer.filters().any(|one| one == filter));
        if is_used && !is_served {
            info.waiting += count(conn, &stream, &filter).await?;
            note_oldest(conn, link, &filter, 0, &mut info).await?;
        }
    }
    for (pattern, is_used) in later_patterns(info.name.as_str()).iter().zip(used.later) {
        if is_used {
            info.scheduled += count(conn, &stream, &names.filter(pattern)).await?;
        }
    }
    if used.parked {
        let filter = names.filter(&parked_pattern(info.name.as_str()));
        info.parked = count(conn, &stream, &filter).await?;
    }
    if used.dead {
        let filter = names.dead_filter(Some(&info.name));
        info.dead = count(conn, &names.dead_stream(), &filter).await?;
    }
    Ok(info)
}

/// A queue with nothing in it, and its workers.
fn staffed(workers: &[WorkerInfo], name: QueueName) -> QueueInfo {
    let mut info = QueueInfo {
        name,
        waiting: 0,
        in_flight: 0,
        running: 0,
        scheduled: 0,
        parked: 0,
        dead: 0,
        workers: 0,
        slots: 0,
        busy: 0,
        oldest_waiting: None,
        delivered: 0,
        settled: 0,
        is_paused: false,
    };
    for worker in workers.iter().map(|worker| &worker.record) {
        let ours = worker
            .running
            .iter()
            .filter(|job| job.queue == info.name.as_str());
        info.running += ours.count() as u64;
        let serves = worker.queues.iter().any(|one| one == info.name.as_str());
        if serves && worker.status != crate::WorkerStatus::Stopping {
            info.workers += 1;
            info.slots += worker.concurrency;
            info.busy += u32::try_from(worker.running.len()).unwrap_or(u32::MAX);
        }
    }
    info
}

/// Adds what one consumer of the queue knows.
async fn served(
    conn: &Connection,
    link: &Link,
    consumer: &ConsumerState,
    info: &mut QueueInfo,
) -> Result<(), JobsError> {
    info.waiting += consumer.num_pending;
    info.in_flight += consumer.num_ack_pending;
    info.delivered += consumer.delivered.consumer_seq;
    info.settled += consumer.settled();
    info.is_paused |= consumer.paused;
    if consumer.num_pending > 0 {
        for filter in consumer.filters() {
            let next = consumer.delivered.stream_seq + 1;
            note_oldest(conn, link, filter, next, info).await?;
        }
    }
    Ok(())
}

async fn note_oldest(
    conn: &Connection,
    link: &Link,
    filter: &str,
    from: u64,
    info: &mut QueueInfo,
) -> Result<(), JobsError> {
    let first = first_from(conn, &link.names().jobs_stream(), filter, from).await?;
    let stored = first.and_then(|first| read_rfc3339(&first.time));
    info.oldest_waiting = [info.oldest_waiting, stored].into_iter().flatten().min();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_of_a_consumer_is_read_from_its_filter() {
        let names = Names::new("n");
        for (filter, queue) in [
            ("n.queue.mail.*", Some("mail")),
            ("n.high.mail.*", Some("mail")),
            ("n.unique.mail.normal.*.*", Some("mail")),
            ("n.fire.*", None),
            ("other.queue.mail.*", None),
        ] {
            assert_eq!(queue_of(&names, filter), queue, "{filter}");
        }
    }
}

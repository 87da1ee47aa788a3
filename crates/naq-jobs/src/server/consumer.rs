//! The durable consumer of a queue, shared by all its workers.

use std::time::Duration;

use naq_connection::Connection;

use super::Link;
use super::api::{ApiError, call, refused};
use super::consumer_config::{Consumer, ConsumerInfo, lease_time};
use super::restock::restock;
use super::{last_sequence, next_at_leader, rfc3339, server_now};
use crate::JobsError;
use crate::model::{Priority, QueueName};
use crate::wire::Names;

/// Until when a paused queue is paused: its operator says when it ends.
const FAR: &str = "2250-01-01T00:00:00Z";

/// How long a queue stays paused that is resumed.
const RESUME: Duration = Duration::from_millis(20);

/// For so long a job may be in the stream that was acknowledged: the consumer knows it first.
const JUST_ENDED: Duration = Duration::from_secs(1);

/// The jobs of one priority in a queue.
pub(crate) type Level<'a> = (&'a QueueName, Priority);

/// What the settings at run time ask of the consumers of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) max_ack_pending: u32,
    /// A consumer that is made now delivers nothing. One that is there is paused by [`pause_consumer`] alone.
    pub(crate) is_paused: bool,
}

/// A consumer as the server has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) lease_time: Duration,
    pub(crate) is_paused: bool,
    /// Whether it delivers all that this version puts into the queue. A worker of an older one may have changed that.
    pub(crate) is_whole: bool,
}

/// Creates the consumer of `level`, or updates it to the settings; says its name and lease time.
///
/// All workers of a queue share the consumer, so the last one to start sets its limits. Filters that a newer version has
/// added stay.
pub(crate) async fn ensure_consumer(
    conn: &Connection,
    link: &Link,
    level: Level<'_>,
    terms: Terms,
) -> Result<(String, Duration), JobsError> {
    let (queue, mut wanted) = (level.0, definition(link, level, terms));
    let (stream, name) = (link.names().jobs_stream(), wanted.durable_name.clone());
    let mut added = Vec::new();
    let found = find(conn, link, level).await?;
    if let Some(found) = &found {
        added = wanted.add_filters_of(&found.config);
        let floor = found.ack_floor.stream_seq;
        restock_below(conn, link, &wanted.filter_subjects, floor).await?;
        if found.config == wanted {
            return Ok((name, lease_time(&wanted)));
        }
        tracing::info!(%queue, from = ?found.config, to = ?wanted, "consumer updated");
    }
    let pause_until = terms.is_paused.then_some(FAR);
    let what = format!("of the queue {queue}");
    let made = wanted.make(conn, &stream, pause_until, &what).await?;
    if found.is_some() {
        tell_workers(conn, link, queue).await;
    }
    if !added.is_empty() {
        let bound = last_sequence(conn, &stream).await?;
        for filter in &added {
            restock(conn, link, filter, bound).await?;
        }
    }
    Ok((name, lease_time(&made.config)))
}

/// Stores the jobs again that lie below the acknowledgement floor of their consumer, and stay there.
async fn restock_below(
    conn: &Connection,
    link: &Link,
    filters: &[String],
    floor: u64,
) -> Result<(), JobsError> {
    let (stream, mut lie_there) = (link.names().jobs_stream(), Vec::new());
    for filter in filters.iter().filter(|_| floor > 0) {
        let first = next_at_leader(conn, &stream, filter, 1).await?;
        if first.is_some_and(|first| first.sequence <= floor) {
            lie_there.push(filter);
        }
    }
    if !lie_there.is_empty() {
        tokio::time::sleep(JUST_ENDED).await;
    }
    for filter in lie_there {
        restock(conn, link, filter, floor).await?;
    }
    Ok(())
}

/// Lets the server deliver nothing of `level`, or deliver again. A consumer that is not there is left alone.
pub(crate) async fn pause_consumer(
    conn: &Connection,
    link: &Link,
    level: Level<'_>,
    is_paused: bool,
) -> Result<(), JobsError> {
    match find(conn, link, level).await? {
        Some(found) if found.paused != is_paused => {}
        _ => return Ok(()),
    }
    let (stream, name) = (
        link.names().jobs_stream(),
        Names::consumer(level.0, level.1),
    );
    let until = if is_paused {
        FAR.to_owned()
    } else {
        // An explicit resume would wait for the next heartbeat of the requests that are open.
        let soon = server_now(conn, &stream).await? + RESUME;
        rfc3339(soon).unwrap_or_default()
    };
    let body = serde_json::json!({ "pause_until": until });
    let verb = format!("CONSUMER.PAUSE.{stream}.{name}");
    match call::<serde::de::IgnoredAny>(conn, &verb, &body).await? {
        Ok(_) => Ok(()),
        Err(error) if error.err_code == ApiError::CONSUMER_NOT_FOUND => Ok(()),
        Err(error) => Err(refused(
            format!("pause or resume the queue {}", level.0),
            error,
        )),
    }
}

/// Tells the other workers of the queue that its consumer is another one. One that does not hear it reads the consumer
/// when it connects again.
async fn tell_workers(conn: &Connection, link: &Link, queue: &QueueName) {
    let told = conn.publish(link.names().control(queue), "consumer").await;
    if let Err(error) = told {
        tracing::warn!(%queue, %error, "could not tell the other workers of the new limits");
    }
}

/// Whether `level` has a consumer.
pub(crate) async fn has_consumer(
    conn: &Connection,
    link: &Link,
    level: Level<'_>,
) -> Result<bool, JobsError> {
    Ok(find(conn, link, level).await?.is_some())
}

/// The consumer of `level` as the server has it now; `None` if it has none.
pub(crate) async fn find_consumer(
    conn: &Connection,
    link: &Link,
    level: Level<'_>,
) -> Result<Option<Found>, JobsError> {
    let found = find(conn, link, level).await?;
    let wanted = link.names().level_filters(level.0, level.1);
    Ok(found.map(|found| Found {
        lease_time: lease_time(&found.config),
        is_paused: found.paused,
        is_whole: wanted
            .iter()
            .all(|filter| found.config.filter_subjects.contains(filter)),
    }))
}

/// The first job of `level` that its consumer will never deliver, as far as the server shows; a job that is being removed, or that
/// comes this moment, looks the same.
pub(crate) async fn passed_by(
    conn: &Connection,
    link: &Link,
    level: Level<'_>,
) -> Result<Option<u64>, JobsError> {
    let stream = link.names().jobs_stream();
    let mut first: Option<u64> = None;
    for filter in link.names().level_filters(level.0, level.1) {
        let found = next_at_leader(conn, &stream, &filter, 1).await?;
        let found = found.map(|found| found.sequence);
        first = first.into_iter().chain(found).min();
    }
    let (Some(first), Some(found)) = (first, find(conn, link, level).await?) else {
        return Ok(None);
    };
    let has_none = found.num_pending == 0 && found.num_ack_pending == 0;
    Ok(Some(first).filter(|first| has_none || *first <= found.ack_floor.stream_seq))
}

/// Stores the jobs of `level` again that its consumer has passed by, up to `sequence`.
pub(crate) async fn restock_level(
    conn: &Connection,
    link: &Link,
    level: Level<'_>,
    sequence: u64,
) -> Result<(), JobsError> {
    for filter in link.names().level_filters(level.0, level.1) {
        restock(conn, link, &filter, sequence).await?;
    }
    Ok(())
}

async fn find(
    conn: &Connection,
    link: &Link,
    level: Level<'_>,
) -> Result<Option<ConsumerInfo>, JobsError> {
    let (queue, priority) = level;
    let (stream, name) = (link.names().jobs_stream(), Names::consumer(queue, priority));
    match call::<ConsumerInfo>(conn, &format!("CONSUMER.INFO.{stream}.{name}"), &()).await? {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.err_code {
            ApiError::CONSUMER_NOT_FOUND | ApiError::STREAM_NOT_FOUND => Ok(None),
            _ => Err(refused(
                format!("look at the consumer of the queue {queue}"),
                error,
            )),
        },
    }
}

fn definition(link: &Link, level: Level<'_>, terms: Terms) -> Consumer {
    Consumer::new(
        Names::consumer(level.0, level.1),
        link.names().level_filters(level.0, level.1),
        link.settings().queues.ack_wait_of(level.0.as_str()),
        i64::from(terms.max_ack_pending),
    )
}

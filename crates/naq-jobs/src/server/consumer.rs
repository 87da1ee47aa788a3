//! The durable consumer of a queue, shared by all its workers.

use std::time::Duration;

use naq_connection::Connection;
use serde::{Deserialize, Serialize};

use super::Link;
use super::api::{ApiError, call, refused};
use crate::model::QueueName;
use crate::wire::Names;
use crate::{JobsError, JobsErrorKind};

/// Pull requests that may wait at the server: one per worker and queue, at least.
const MAX_WAITING: i64 = 10_000;

/// A firing that a worker took and did not finish goes to another one after this time.
const FIRES_ACK_WAIT: Duration = Duration::from_secs(10);

/// The same for an end in a workflow: handling one takes milliseconds, and twice is harmless.
const FLOWS_ACK_WAIT: Duration = Duration::from_secs(5);

/// Messages of a consumer of all workers that may be taken and not finished.
const SHARED_PENDING: i64 = 10_000;

/// The part of a consumer's configuration that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Consumer {
    durable_name: String,
    filter_subject: String,
    ack_policy: String,
    deliver_policy: String,
    /// Nanoseconds.
    ack_wait: u64,
    /// Unlimited: the worker enforces the limit, so that no message is ever stranded.
    max_deliver: i64,
    max_ack_pending: i64,
    max_waiting: i64,
}

#[derive(Serialize)]
struct Create<'a> {
    stream_name: &'a str,
    config: &'a Consumer,
    action: &'a str,
}

#[derive(Deserialize)]
struct ConsumerInfo {
    config: Consumer,
}

/// Creates the consumer of `queue`, or updates it to the settings; says its name and lease time.
///
/// All workers of a queue share the consumer, so the last one to start sets its limits.
pub(crate) async fn ensure_consumer(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
) -> Result<(String, Duration), JobsError> {
    let wanted = definition(link, queue);
    let (stream, name) = (link.names().jobs_stream(), wanted.durable_name.clone());
    let found = find(conn, link, queue).await?;
    if found.as_ref() == Some(&wanted) {
        return Ok((name, lease_time(&wanted)));
    }
    if let Some(found) = &found {
        tracing::info!(%queue, from = ?found, to = ?wanted, "consumer updated");
    }
    let create = Create {
        stream_name: &stream,
        config: &wanted,
        action: "",
    };
    let verb = format!("CONSUMER.CREATE.{stream}.{name}.{}", wanted.filter_subject);
    match call::<ConsumerInfo>(conn, &verb, &create).await? {
        Ok(made) => {
            if found.is_some() {
                tell_workers(conn, link, queue).await;
            }
            Ok((name, lease_time(&made.config)))
        }
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
            let context = format!("make the consumer of the queue {queue}: its stream is gone");
            Err(JobsError::new(JobsErrorKind::Unavailable, context))
        }
        Err(error) => Err(refused(
            format!("make the consumer of the queue {queue}"),
            error,
        )),
    }
}

/// Creates the consumer of the firings of recurring schedules, or updates it; says its lease time.
pub(crate) async fn ensure_fires_consumer(
    conn: &Connection,
    link: &Link,
) -> Result<Duration, JobsError> {
    let filter = link.names().fires_filter();
    ensure_shared(conn, link, Names::FIRES_CONSUMER, filter, FIRES_ACK_WAIT).await
}

/// Creates the consumer of the ends in workflows, or updates it; says its lease time.
pub(crate) async fn ensure_flows_consumer(
    conn: &Connection,
    link: &Link,
) -> Result<Duration, JobsError> {
    let filter = link.names().flow_ends_filter();
    ensure_shared(conn, link, Names::FLOWS_CONSUMER, filter, FLOWS_ACK_WAIT).await
}

/// Creates a consumer that all workers share, whatever their queues, or updates it; says its lease time.
async fn ensure_shared(
    conn: &Connection,
    link: &Link,
    name: &str,
    filter: String,
    ack_wait: Duration,
) -> Result<Duration, JobsError> {
    let wanted = Consumer {
        durable_name: name.to_owned(),
        filter_subject: filter,
        ack_policy: "explicit".to_owned(),
        deliver_policy: "all".to_owned(),
        ack_wait: u64::try_from(ack_wait.as_nanos()).unwrap_or(u64::MAX),
        max_deliver: -1,
        max_ack_pending: SHARED_PENDING,
        max_waiting: MAX_WAITING,
    };
    let context = format!("make the consumer {name}");
    let stream = link.names().jobs_stream();
    let create = Create {
        stream_name: &stream,
        config: &wanted,
        action: "",
    };
    let verb = format!("CONSUMER.CREATE.{stream}.{name}.{}", wanted.filter_subject);
    match call::<ConsumerInfo>(conn, &verb, &create).await? {
        Ok(made) => Ok(lease_time(&made.config)),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
            let context = format!("{context}: its stream is gone");
            Err(JobsError::new(JobsErrorKind::Unavailable, context))
        }
        Err(error) => Err(refused(context, error)),
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

/// The lease time of the queue as the server has it now; `None` if it has no consumer.
pub(crate) async fn read_lease_time(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
) -> Result<Option<Duration>, JobsError> {
    let found = find(conn, link, queue).await?;
    Ok(found.map(|found| lease_time(&found)))
}

/// The consumer of the queue, if there is one.
async fn find(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
) -> Result<Option<Consumer>, JobsError> {
    let (stream, name) = (link.names().jobs_stream(), Names::consumer(queue));
    match call::<ConsumerInfo>(conn, &format!("CONSUMER.INFO.{stream}.{name}"), &()).await? {
        Ok(found) => Ok(Some(found.config)),
        Err(error) => match error.err_code {
            ApiError::CONSUMER_NOT_FOUND | ApiError::STREAM_NOT_FOUND => Ok(None),
            _ => Err(refused(
                format!("look at the consumer of the queue {queue}"),
                error,
            )),
        },
    }
}

fn definition(link: &Link, queue: &QueueName) -> Consumer {
    let queues = &link.settings().queues;
    let ack_wait = queues.ack_wait_of(queue.as_str());
    Consumer {
        durable_name: Names::consumer(queue),
        filter_subject: link.names().queue_filter(queue),
        ack_policy: "explicit".to_owned(),
        deliver_policy: "all".to_owned(),
        ack_wait: u64::try_from(ack_wait.as_nanos()).unwrap_or(u64::MAX),
        max_deliver: -1,
        max_ack_pending: i64::from(queues.max_ack_pending_of(queue.as_str())),
        max_waiting: MAX_WAITING,
    }
}

fn lease_time(consumer: &Consumer) -> Duration {
    Duration::from_nanos(consumer.ack_wait)
}

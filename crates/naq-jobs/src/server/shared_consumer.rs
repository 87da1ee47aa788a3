//! The durable consumers that all workers share, whatever their queues.

use std::time::Duration;

use naq_connection::Connection;

use super::Link;
use super::api::{ApiError, call, refused};
use super::consumer_config::{Consumer, ConsumerInfo, Create, MAX_WAITING, Made, lease_time};
use crate::wire::Names;
use crate::{JobsError, JobsErrorKind};

/// A firing that a worker took and did not finish goes to another one after this time.
const FIRES_ACK_WAIT: Duration = Duration::from_secs(10);

/// The same for an end in a workflow: handling one takes milliseconds, and twice is harmless.
const FLOWS_ACK_WAIT: Duration = Duration::from_secs(5);

/// Messages of a consumer of all workers that may be taken and not finished.
const SHARED_PENDING: i64 = 10_000;

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
        filter_subject: None,
        filter_subjects: vec![filter],
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
        config: Made {
            consumer: &wanted,
            pause_until: None,
        },
        action: "",
    };
    let verb = format!("CONSUMER.CREATE.{stream}.{name}");
    match call::<ConsumerInfo>(conn, &verb, &create).await? {
        Ok(made) => Ok(lease_time(&made.config)),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
            let context = format!("{context}: its stream is gone");
            Err(JobsError::new(JobsErrorKind::Unavailable, context))
        }
        Err(error) => Err(refused(context, error)),
    }
}

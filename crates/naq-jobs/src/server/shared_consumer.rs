//! The durable consumers that all workers share, whatever their queues.

use std::time::Duration;

use naq_connection::Connection;

use super::Link;
use super::consumer_config::{Consumer, lease_time};
use crate::JobsError;
use crate::wire::Names;

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
    let wanted = Consumer::new(name.to_owned(), vec![filter], ack_wait, SHARED_PENDING);
    let stream = link.names().jobs_stream();
    let made = wanted.make(conn, &stream, None, name).await?;
    Ok(lease_time(&made.config))
}

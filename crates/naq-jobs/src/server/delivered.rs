//! How far a queue's consumer has come.

use naq_connection::Connection;
use serde::Deserialize;

use super::Link;
use super::api::{ApiError, call, refused};
use crate::JobsError;
use crate::model::{Priority, QueueName};
use crate::wire::Names;

#[derive(Deserialize)]
struct Info {
    delivered: Delivered,
}

#[derive(Deserialize)]
struct Delivered {
    stream_seq: u64,
}

/// The newest sequence of this priority that was ever delivered to a worker of the queue; 0 if there was none.
pub(crate) async fn delivered_up_to(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
    priority: Priority,
) -> Result<u64, JobsError> {
    let (stream, name) = (link.names().jobs_stream(), Names::consumer(queue, priority));
    match call::<Info>(conn, &format!("CONSUMER.INFO.{stream}.{name}"), &()).await? {
        Ok(found) => Ok(found.delivered.stream_seq),
        Err(error) if error.err_code == ApiError::CONSUMER_NOT_FOUND => Ok(0),
        Err(error) => Err(refused(format!("look at the queue {queue}"), error)),
    }
}

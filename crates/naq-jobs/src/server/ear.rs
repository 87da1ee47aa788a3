//! Consumers that tell a workflow of the end of one job outside.
//!
//! The server pushes the outcome to all workers, which are listening on one subject. Nobody acknowledges, so it does that again
//! each `ack_wait` until the consumer is removed: a delivery that is lost does no harm.

use std::time::Duration;

use naq_connection::Connection;
use serde_json::json;

use super::Link;
use super::api::{ApiError, call, refused};
use crate::JobsError;
use crate::model::JobId;
use crate::wire::Names;

/// Time until an end is told again.
const AGAIN: Duration = Duration::from_secs(30);

/// Makes the server tell the workflow `flow` when `job` has ended, as the end of `node`; also if it has ended already.
pub(crate) async fn ensure_ear(
    conn: &Connection,
    link: &Link,
    flow: &JobId,
    node: u32,
    job: &JobId,
) -> Result<(), JobsError> {
    let (names, stream) = (link.names(), link.names().results_stream());
    let (name, filter) = (Names::flow_ear(flow, node), names.result(job));
    let create = json!({
        "stream_name": stream,
        "action": "",
        "config": {
            "durable_name": name,
            "filter_subject": filter,
            "deliver_subject": names.flow_ears(),
            "deliver_policy": "last_per_subject",
            "ack_policy": "explicit",
            "ack_wait": u64::try_from(AGAIN.as_nanos()).unwrap_or(u64::MAX),
            "max_deliver": -1,
            "max_ack_pending": 1,
            "headers_only": true,
        },
    });
    let verb = format!("CONSUMER.CREATE.{stream}.{name}.{filter}");
    let made = call::<serde_json::Value>(conn, &verb, &create).await?;
    made.map(drop)
        .map_err(|e| refused(format!("listen to the job {job}"), e))
}

/// Removes it; nothing if it is gone.
pub(crate) async fn remove_ear(
    conn: &Connection,
    link: &Link,
    flow: &JobId,
    node: u32,
) -> Result<(), JobsError> {
    let stream = link.names().results_stream();
    let verb = format!("CONSUMER.DELETE.{stream}.{}", Names::flow_ear(flow, node));
    match call::<serde_json::Value>(conn, &verb, &()).await? {
        Err(error) if error.err_code != ApiError::CONSUMER_NOT_FOUND => {
            Err(refused("stop listening to a job", error))
        }
        _ => Ok(()),
    }
}

//! Who has the job: nobody yet, or the worker that runs it, which alone knows the attempt.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use naq_connection::{Connection, ConnectionErrorKind};

use super::places::Found;
use super::report::CancelledFrom;
use crate::JobsError;
use crate::model::JobId;
use crate::server::{Link, delivered_up_to};
use crate::wire::{CancelAnswer, CancelNotice, Stage};

/// Time that the worker of a running job gets to say so.
const ANSWER: Duration = Duration::from_millis(250);

/// Where the job is; [`CancelledFrom::Leased`] if a worker may have it.
pub(super) async fn place_of(
    conn: &Connection,
    link: &Link,
    found: &[Found],
) -> Result<CancelledFrom, JobsError> {
    for found in found {
        let Stage::Queue(priority) = found.spot.stage else {
            continue;
        };
        let delivered = delivered_up_to(conn, link, &found.spot.queue, priority).await?;
        if delivered >= found.message.sequence {
            return Ok(CancelledFrom::Leased);
        }
    }
    Ok(found.first().map_or(CancelledFrom::Leased, Found::from))
}

/// Asks the workers which attempt of the job runs. Nobody answers for one whose worker is gone.
pub(super) async fn ask(
    conn: &Connection,
    link: &Link,
    id: &JobId,
) -> Result<CancelledFrom, JobsError> {
    let body: Bytes = serde_json::to_vec(&CancelNotice::question())
        .unwrap_or_default()
        .into();
    let subject = link.names().cancel(id);
    let asked = conn.request_within(subject, HeaderMap::new(), body, ANSWER);
    let answer = match asked.await {
        Ok(answer) => serde_json::from_slice(&answer.payload).ok(),
        Err(e)
            if matches!(
                e.kind(),
                ConnectionErrorKind::NoResponders | ConnectionErrorKind::Deadline { .. }
            ) =>
        {
            None
        }
        Err(e) => return Err(JobsError::connection("ask who runs a job", e)),
    };
    Ok(match answer {
        Some(CancelAnswer { worker, attempt }) => CancelledFrom::Running { worker, attempt },
        None => CancelledFrom::Leased,
    })
}

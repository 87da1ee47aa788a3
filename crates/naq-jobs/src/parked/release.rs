//! Puts parked jobs back into their queues, the oldest first.
//!
//! One message each: the job on its own subject, which at the same time removes what was parked. Of two who release the same
//! job, one is refused.

use async_nats::HeaderMap;
use naq_connection::Connection;

use super::Why;
use crate::JobsError;
use crate::model::QueueName;
use crate::server::{Link, Stored, expect_newest_of, next_at_leader, wrong_sequence};
use crate::wire::{moved, text};

/// Releases up to `most` jobs that are parked for this reason, in one queue or in all; says how many.
pub(crate) async fn release(
    conn: &Connection,
    link: &Link,
    queue: Option<&QueueName>,
    why: &Why,
    most: u64,
) -> Result<u64, JobsError> {
    let filter = link.names().parked_filter(queue, why.as_str());
    release_subject(conn, link, &filter, most).await
}

/// As [`release`], for the jobs on a subject of their own or a filter.
pub(crate) async fn release_subject(
    conn: &Connection,
    link: &Link,
    filter: &str,
    most: u64,
) -> Result<u64, JobsError> {
    let stream = link.names().jobs_stream();
    let (mut released, mut from) = (0, 0);
    while released < most {
        let Some(found) = next_at_leader(conn, &stream, filter, from).await? else {
            break;
        };
        from = found.sequence + 1;
        released += u64::from(release_one(conn, &found).await?);
    }
    Ok(released)
}

/// Whether it was released here.
async fn release_one(conn: &Connection, parked: &Stored) -> Result<bool, JobsError> {
    let Some(target) = text(parked.headers.as_ref(), "Nats-Schedule-Target") else {
        tracing::warn!(
            subject = parked.subject,
            "a parked job without a way back is left alone"
        );
        return Ok(false);
    };
    let mut fields: HeaderMap = moved(parked.headers.as_ref());
    fields.insert("Nats-Scheduler", parked.subject.as_str());
    fields.insert("Nats-Schedule-Next", "purge");
    expect_newest_of(&mut fields, &parked.subject, parked.sequence);
    let sent = conn.publish_acked(target.to_owned(), fields, parked.payload.clone());
    match sent.await {
        Ok(_) => Ok(true),
        Err(error) if wrong_sequence(&error).is_some() => Ok(false),
        Err(error) => Err(JobsError::connection("release a parked job", error)),
    }
}

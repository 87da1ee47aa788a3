//! The large payloads of jobs that are removed before they start.
//!
//! What a worker may have got, or a dead letter refers to, is left: rather an object that nobody needs than a job without
//! its payload.

use naq_connection::Connection;

use crate::JobsError;
use crate::model::ObjectRef;
use crate::payload::{payload_of, remove};
use crate::server::{Link, Stored, consumer_states, exists, last_at_leader, page};
use crate::wire::{Names, Spot};

/// Messages that are looked at in one page.
const PAGE: usize = 100;

/// A job whose payload is kept apart.
#[derive(Debug)]
pub(super) struct Large {
    subject: String,
    sequence: u64,
    spot: Spot,
    payload: ObjectRef,
}

impl Large {
    /// The job of this message; `None` if its payload is in its body.
    pub(super) fn read(names: &Names, stored: &Stored) -> Option<Self> {
        Some(Self {
            subject: stored.subject.clone(),
            sequence: stored.sequence,
            spot: Spot::read(names, &stored.subject)?,
            payload: payload_of(&stored.payload)?,
        })
    }
}

/// Those under `patterns`. Where nothing was ever kept apart, nothing is read.
pub(super) async fn large_jobs(
    conn: &Connection,
    link: &Link,
    patterns: &[String],
) -> Result<Vec<Large>, JobsError> {
    let (names, mut all) = (link.names(), Vec::new());
    if !exists(conn, &names.payloads_stream()).await? {
        return Ok(all);
    }
    for pattern in patterns {
        let (filter, mut from) = (names.filter(pattern), Some(0));
        while let Some(start) = from {
            let found = page(conn, &names.jobs_stream(), &filter, start, PAGE).await?;
            all.extend(found.messages.iter().filter_map(|m| Large::read(names, m)));
            from = found.next;
        }
    }
    Ok(all)
}

/// Removes the payloads of those jobs whose message has gone. Called after it has: a job that was not delivered by then
/// never will be.
pub(super) async fn release_gone(
    conn: &Connection,
    link: &Link,
    jobs: &[Large],
) -> Result<(), JobsError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let names = link.names();
    let consumers = consumer_states(conn, link).await?;
    for job in jobs {
        let was_delivered = consumers.iter().any(|consumer| {
            consumer.delivered.stream_seq >= job.sequence && consumer.delivers(&job.subject)
        });
        let letter = names.dead(&job.spot.queue, &job.spot.id);
        if was_delivered
            || last_at_leader(conn, &names.jobs_stream(), &job.subject)
                .await?
                .is_some()
            || last_at_leader(conn, &names.dead_stream(), &letter)
                .await?
                .is_some()
        {
            continue;
        }
        remove(link, conn, &job.payload).await?;
    }
    Ok(())
}

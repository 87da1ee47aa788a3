//! The jobs that have not ended, page by page.

use std::time::SystemTime;

use async_nats::HeaderMap;
use serde_json::value::RawValue;

use super::sight::Found;
use crate::JobsError;
use crate::model::{JobId, QueueName};
use crate::server::{Link, page, read_rfc3339};
use crate::wire::{
    Delivery, Envelope, Spot, Stage, decode, later_patterns, parked_pattern, passed_on,
    queue_patterns,
};

/// Which jobs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PendingState {
    /// Those that wait for a worker or have one, in the order in which they came.
    Queued,
    /// Those that are due later.
    Scheduled,
    /// Those that were put aside.
    Parked,
    /// All of these.
    Any,
}

/// A job that has not ended.
#[derive(Debug, Clone)]
pub struct ListedJob {
    /// The job.
    pub id: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Its kind, if it is readable.
    pub kind: Option<String>,
    /// Where it is: never [`PendingState::Any`].
    pub state: PendingState,
    /// When the server stored this message of it.
    pub stored_at: Option<SystemTime>,
    /// When it is due, if it is scheduled.
    pub due: Option<SystemTime>,
    /// Retries before this message.
    pub retries_done: u32,
    /// Why it is parked, if it is.
    pub why: Option<String>,
    /// Bytes of its body.
    pub size: usize,
    /// Its payload, as JSON text; `None` if its body is unreadable or the payload is compressed or kept in
    /// the object store; [`crate::Jobs::payload`] reads that.
    pub payload: Option<Box<RawValue>>,
    /// The sender's headers.
    pub headers: HeaderMap,
}

/// Some jobs, and where to go on.
#[derive(Debug)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<ListedJob>,
    /// Pass it to [`crate::Jobs::pending_jobs`] for the next page; `None` at the end.
    pub next: Option<u64>,
}

pub(super) async fn list(
    link: &Link,
    state: PendingState,
    queue: Option<&QueueName>,
    from: u64,
    limit: usize,
) -> Result<JobPage, JobsError> {
    let conn = link.lease("list jobs").await?;
    let names = link.names();
    let queue = queue.map_or("*", QueueName::as_str);
    let patterns = match state {
        PendingState::Queued => queue_patterns(queue).to_vec(),
        PendingState::Scheduled => later_patterns(queue).to_vec(),
        PendingState::Parked => vec![parked_pattern(queue)],
        PendingState::Any => {
            let mut all = queue_patterns(queue).to_vec();
            all.extend(later_patterns(queue));
            all.push(parked_pattern(queue));
            all
        }
    };
    let (mut found, mut cut) = (Vec::new(), None::<u64>);
    for pattern in &patterns {
        let filter = names.filter(pattern);
        let part = page(&conn, &names.jobs_stream(), &filter, from, limit).await?;
        cut = [cut, part.next].into_iter().flatten().min();
        found.extend(part.messages);
    }
    // What lies behind the end of a part that is not read to its end comes with the next page.
    found.retain(|stored| cut.is_none_or(|cut| stored.sequence < cut));
    found.sort_unstable_by_key(|stored| stored.sequence);
    if found.len() > limit {
        cut = found.get(limit).map(|stored| stored.sequence);
        found.truncate(limit);
    }
    let jobs = found.into_iter().filter_map(|stored| {
        let spot = Spot::read(names, &stored.subject)?;
        Some(listed(&Found { spot, stored }))
    });
    Ok(JobPage {
        jobs: jobs.collect(),
        next: cut,
    })
}

fn listed(found: &Found) -> ListedJob {
    let stored = &found.stored;
    let envelope = decode(&stored.payload).ok();
    ListedJob {
        id: found.spot.id.clone(),
        queue: found.spot.queue.clone(),
        kind: envelope.as_ref().map(|envelope| envelope.kind.to_string()),
        state: match found.spot.stage {
            Stage::Queue(_) => PendingState::Queued,
            Stage::Later => PendingState::Scheduled,
            Stage::Parked(_) => PendingState::Parked,
        },
        stored_at: read_rfc3339(&stored.time),
        due: match found.spot.stage {
            Stage::Later => stored.due(),
            Stage::Queue(_) | Stage::Parked(_) => None,
        },
        retries_done: Delivery::read(stored.headers.as_ref()).retries_done,
        why: match &found.spot.stage {
            Stage::Parked(why) => Some(why.clone()),
            Stage::Queue(_) | Stage::Later => None,
        },
        size: stored.payload.len(),
        payload: envelope
            .filter(Envelope::is_plain)
            .map(|envelope| envelope.payload.to_owned()),
        headers: passed_on(stored.headers.as_ref()),
    }
}

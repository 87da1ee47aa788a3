//! One job, as much as is known of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use naq_connection::Connection;

use super::workers::{WorkerInfo, workers};
use super::{Found, JobStatus, Sight, Whereabouts, look, whereabouts};
use crate::JobsError;
use crate::model::{JobId, Priority};
use crate::server::{
    ConsumerState, Link, consumer_state, consumer_states, count_from, read_rfc3339,
};
use crate::wire::{Delivery, Names, RunningJob, Stage, decode};
use crate::workflow::{FlowPlace, find_place};

/// Longest backlog in which the place of one job is counted.
const MAX_COUNTED: u64 = 100_000;

/// One job, as much as is known of it.
#[derive(Debug, Clone)]
pub struct JobInfo {
    /// The job.
    pub id: JobId,
    /// Where it is.
    pub status: JobStatus,
    /// Its queue, if anything is stored of it.
    pub queue: Option<String>,
    /// Its kind, if it is readable.
    pub kind: Option<String>,
    /// When it was enqueued, by the sender's clock; of a job that has not ended, or is a dead letter.
    pub enqueued_at: Option<SystemTime>,
    /// Attempts that were made before this message; a running one is not among them.
    pub attempts: u32,
    /// Its body, byte for byte; of a job that has not ended, or is a dead letter.
    pub body: Option<Bytes>,
}

/// Reads all of it.
pub(super) async fn info(link: &Link, id: &JobId) -> Result<JobInfo, JobsError> {
    let conn = link.lease("look for a job").await?;
    let sight = look(&conn, link, id).await?;
    info_of(&conn, link, id, &sight).await
}

/// What follows from what is stored of it.
pub(crate) async fn info_of(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    sight: &Sight,
) -> Result<JobInfo, JobsError> {
    let status = match whereabouts(sight) {
        Whereabouts::Message(found) => status_of(conn, link, found).await?,
        Whereabouts::Ended => JobStatus::Ended {
            outcome: sight.outcome.as_ref().map(|(one, _)| Box::new(one.clone())),
            has_dead_letter: sight.letter.is_some(),
        },
        Whereabouts::Nowhere => match find_place(conn, link, id).await? {
            Some(place) => JobStatus::Flow(Box::new(place)),
            None => JobStatus::Unknown,
        },
    };
    Ok(described(id, status, sight))
}

fn described(id: &JobId, status: JobStatus, sight: &Sight) -> JobInfo {
    let message = match whereabouts(sight) {
        Whereabouts::Message(found) => Some(found),
        Whereabouts::Ended | Whereabouts::Nowhere => None,
    };
    let outcome = sight.outcome.as_ref().map(|(outcome, _)| outcome);
    let letter = sight.letter.as_ref();
    let body = message
        .map(|found| found.stored.payload.clone())
        .or_else(|| letter.map(|letter| letter.body.clone()));
    let envelope = body.as_deref().and_then(|body| decode(body).ok());
    let queue = message
        .map(|found| found.spot.queue.to_string())
        .or_else(|| outcome.map(|outcome| outcome.queue.clone()))
        .or_else(|| letter.map(|letter| letter.queue.to_string()));
    let attempts = match message {
        Some(found) => delivery(found).attempts_before,
        None => outcome
            .map(|outcome| outcome.attempt)
            .or_else(|| letter.map(|letter| letter.attempt))
            .unwrap_or(0),
    };
    let planned = planned(&status);
    JobInfo {
        id: id.clone(),
        queue: queue.or_else(|| planned.as_ref().map(|(_, queue)| queue.clone())),
        kind: envelope
            .as_ref()
            .map(|envelope| envelope.kind.to_string())
            .or_else(|| outcome.and_then(|outcome| outcome.kind.clone()))
            .or(planned.map(|(kind, _)| kind)),
        status,
        enqueued_at: envelope.and_then(|envelope| envelope.enqueued_at),
        attempts,
        body,
    }
}

/// Kind and queue of a job that a workflow is still to enqueue.
fn planned(status: &JobStatus) -> Option<(String, String)> {
    match status {
        JobStatus::Flow(place) => match &**place {
            FlowPlace::Node(node) => node.job.clone(),
            FlowPlace::Workflow { .. } => None,
        },
        _ => None,
    }
}

async fn status_of(conn: &Connection, link: &Link, found: &Found) -> Result<JobStatus, JobsError> {
    Ok(match &found.spot.stage {
        Stage::Later => scheduled(found),
        Stage::Parked(why) => JobStatus::Parked { why: why.clone() },
        Stage::Queue(_) => {
            let consumer = consumer_of(conn, link, found).await?;
            match consumer {
                Some(consumer) if found.stored.sequence <= consumer.delivered.stream_seq => {
                    let workers = workers(conn, link).await?;
                    in_hand(found, &consumer, &workers)
                }
                other => waiting(conn, link, found, other.as_ref()).await?,
            }
        }
    })
}

fn scheduled(found: &Found) -> JobStatus {
    let retries = decode(&found.stored.payload).map_or(0, |envelope| envelope.retry.retries);
    JobStatus::Scheduled {
        due: found.stored.due(),
        retry: delivery(found).retries_done,
        retries,
    }
}

pub(crate) fn delivery(found: &Found) -> Delivery {
    Delivery::read(found.stored.headers.as_ref())
}

/// The consumer that delivers the message; of one that is not in its queue: that of the queue's normal jobs.
pub(crate) async fn consumer_of(
    conn: &Connection,
    link: &Link,
    found: &Found,
) -> Result<Option<ConsumerState>, JobsError> {
    let subject = &found.stored.subject;
    let priority = match found.spot.stage {
        Stage::Queue(priority) => priority,
        Stage::Later | Stage::Parked(_) => Priority::Normal,
    };
    let name = Names::consumer(&found.spot.queue, priority);
    let usual = consumer_state(conn, link, &name).await?;
    let is_in_queue = matches!(found.spot.stage, Stage::Queue(_));
    if !is_in_queue || usual.as_ref().is_some_and(|usual| usual.delivers(subject)) {
        return Ok(usual);
    }
    let all = consumer_states(conn, link).await?;
    Ok(all.into_iter().find(|consumer| consumer.delivers(subject)))
}

fn in_hand(found: &Found, consumer: &ConsumerState, workers: &[WorkerInfo]) -> JobStatus {
    let shown = runner_of(found.spot.id.as_str(), workers);
    JobStatus::Running {
        worker: shown.map(|(worker, _)| worker.record.worker_id.clone()),
        since: shown.and_then(|(_, job)| instant(job.started_at_ms)),
        attempt: shown.map(|(_, job)| job.attempt),
        lease: Duration::from_nanos(consumer.config.ack_wait),
    }
}

/// Who shows the job as running.
pub(crate) fn runner_of<'a>(
    id: &str,
    workers: &'a [WorkerInfo],
) -> Option<(&'a WorkerInfo, &'a RunningJob)> {
    workers.iter().find_map(|worker| {
        let job = worker.record.running.iter().find(|job| job.job_id == id)?;
        Some((worker, job))
    })
}

async fn waiting(
    conn: &Connection,
    link: &Link,
    found: &Found,
    consumer: Option<&ConsumerState>,
) -> Result<JobStatus, JobsError> {
    let since = read_rfc3339(&found.stored.time).unwrap_or(UNIX_EPOCH);
    let ahead = match consumer {
        Some(consumer) if consumer.num_pending > MAX_COUNTED => None,
        Some(consumer) => {
            let mut behind = 0;
            for filter in consumer.filters() {
                let (stream, next) = (link.names().jobs_stream(), found.stored.sequence + 1);
                behind += count_from(conn, &stream, filter, next).await?.0;
            }
            Some(consumer.num_pending.saturating_sub(behind + 1))
        }
        None => None,
    };
    Ok(JobStatus::Waiting { since, ahead })
}

pub(crate) fn instant(unix_ms: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms))
}

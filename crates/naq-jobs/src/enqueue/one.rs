//! Enqueues one job: checked, written, confirmed; tried again with the same message id when the answer was lost.

use std::time::SystemTime;

use async_nats::HeaderMap;
use bytes::Bytes;
use naq_connection::Connection;
use tokio::time::Instant;

use crate::events::{EventType, Fact};
use crate::model::{Job, JobId, KindName, QueueName};
use crate::server::{Link, persist, rfc3339, unix_ms};
use crate::wire::{MAX_HEADER_TEXT, encode};
use crate::{JobsError, JobsErrorKind};

/// Bytes that a job must leave free below `max_payload`, so that its dead letter fits with its reason.
const RESERVE: usize = 3 * MAX_HEADER_TEXT;

/// A job as it goes to the server.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) id: JobId,
    pub(super) subject: String,
    pub(super) body: Bytes,
    /// When it is due, and where it goes then.
    due: Option<(String, String)>,
    kind: KindName,
    queue: QueueName,
    due_ms: Option<u64>,
}

impl Prepared {
    /// The server has stored it.
    pub(super) fn tell(&self, link: &Link) {
        let event_type = match self.due_ms {
            None => EventType::Enqueued,
            Some(_) => EventType::Scheduled,
        };
        let (queue, kind) = (self.queue.as_str(), self.kind.as_str());
        let mut fact = Fact::of(event_type, queue, kind, self.id.as_str());
        fact.due_ms = self.due_ms;
        link.events().tell(&fact);
    }

    /// Made anew for each sending, which is cheaper than a copy.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", self.id.as_str());
        if let Some((at, target)) = &self.due {
            headers.insert("Nats-Schedule", format!("@at {at}"));
            headers.insert("Nats-Schedule-Target", target.as_str());
        }
        headers
    }
}

/// Enqueues `job` and says its id.
pub(crate) async fn enqueue<R>(link: &Link, job: Job<R>) -> Result<JobId, JobsError> {
    deliver(link, prepare(link, job)?).await
}

/// Sends a prepared job until it is confirmed, at most for three request timeouts.
pub(super) async fn deliver(link: &Link, job: Prepared) -> Result<JobId, JobsError> {
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let job = &job;
    let publish = move |conn| async move { publish(&conn, job).await };
    persist(link, "enqueue a job", deadline, publish).await?;
    job.tell(link);
    Ok(job.id.clone())
}

/// Checks a job and writes its message.
pub(super) fn prepare<R>(link: &Link, job: Job<R>) -> Result<Prepared, JobsError> {
    let now = SystemTime::now();
    let id = job.id.clone().unwrap_or_else(JobId::generate);
    let queue = match &job.queue {
        Some(queue) => queue.clone(),
        None => QueueName::new(link.settings().queues.default.clone()).map_err(|e| {
            JobsError::new(JobsErrorKind::InvalidName, "use `queues.default`").because(e)
        })?,
    };
    let body = encode(&job, now)
        .map_err(|e| JobsError::new(JobsErrorKind::InvalidPayload, "write a job").because(e))?;
    let target = link.names().job(&queue, &id);
    let due = job.due.map(|due| due.instant(now)).filter(|due| *due > now);
    let due_ms = due.map(unix_ms);
    let (subject, due) = match due {
        None => (target, None),
        Some(due) => {
            let at = rfc3339(due).ok_or_else(|| {
                JobsError::new(
                    JobsErrorKind::Configuration,
                    "schedule a job after the year 9999",
                )
            })?;
            (link.names().schedule(&queue, &id), Some((at, target)))
        }
    };
    Ok(Prepared {
        id,
        subject,
        body: body.into(),
        due,
        kind: job.kind,
        queue,
        due_ms,
    })
}

async fn publish(conn: &Connection, job: &Prepared) -> Result<(), JobsError> {
    check_size(conn, job)?;
    match conn
        .publish_acked(job.subject.clone(), job.headers(), job.body.clone())
        .await
    {
        Ok(ack) => {
            tracing::debug!(id = %job.id, sequence = ack.sequence, "job enqueued");
            Ok(())
        }
        Err(error) => Err(JobsError::connection("enqueue a job", error)),
    }
}

/// Refuses a job whose dead letter would not fit.
pub(super) fn check_size(conn: &Connection, job: &Prepared) -> Result<(), JobsError> {
    let limit = conn.max_payload().saturating_sub(RESERVE);
    if job.body.len() > limit {
        return Err(JobsError::new(
            JobsErrorKind::TooLarge,
            format!(
                "enqueue a job of {} bytes: the server takes {} (max_payload), of which {RESERVE} are \
                 kept for the headers of a dead letter. Store the data elsewhere and send its address, \
                 or raise max_payload",
                job.body.len(),
                conn.max_payload()
            ),
        ));
    }
    Ok(())
}

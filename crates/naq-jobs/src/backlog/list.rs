//! Lists the jobs that have not ended, from the messages that they are.

use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::forward;
use crate::JobsError;
use crate::model::{JobId, KindName, QueueName};
use crate::server::{Link, Stored, page};
use crate::wire::{Names, decode, passed_on, text};

/// The jobs that have not ended. A cheap handle.
#[derive(Debug, Clone)]
pub struct Backlog {
    link: Link,
}

/// A job that waits, runs, or is due later.
#[derive(Debug, Clone)]
pub struct PendingJob {
    /// The job.
    pub id: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Its kind; `None` if its body is unreadable.
    pub kind: Option<KindName>,
    /// Its payload, as JSON text; `None` if its body is unreadable.
    pub payload: Option<Box<RawValue>>,
    /// When it is due, if that was later than it was enqueued.
    pub due: Option<SystemTime>,
    /// The sender's headers.
    pub headers: HeaderMap,
}

/// Some jobs, and where to go on.
#[derive(Debug)]
pub struct BacklogPage {
    /// The jobs, oldest first.
    pub jobs: Vec<PendingJob>,
    /// Pass it to the same call for the next page; `None` at the end.
    pub next: Option<u64>,
}

impl Backlog {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// At most `limit` (at most 1000) jobs that wait or run, from `from` on: 0, or what the last page said.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps).
    pub async fn waiting(&self, from: u64, limit: usize) -> Result<BacklogPage, JobsError> {
        self.list(&self.link.names().all_queues(), from, limit)
            .await
    }

    /// At most `limit` (at most 1000) jobs that are due later, retries included, from `from` on: 0, or what the last
    /// page said.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps).
    pub async fn scheduled(&self, from: u64, limit: usize) -> Result<BacklogPage, JobsError> {
        self.list(&self.link.names().all_schedules(), from, limit)
            .await
    }

    /// Makes every job that is due later, retries included, due earlier by `by`; says how many there were. Those that
    /// are due by then are enqueued by the server within 261 ms. Recurring schedules stay as they are.
    ///
    /// A job that fires or changes at the same moment keeps its time.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`]; a retry would move those again that were moved before.
    pub async fn bring_forward(&self, by: Duration) -> Result<u64, JobsError> {
        forward::bring_forward(&self.link, by).await
    }

    async fn list(&self, filter: &str, from: u64, limit: usize) -> Result<BacklogPage, JobsError> {
        let conn = self.link.lease("list the jobs that have not ended").await?;
        let stream = self.link.names().jobs_stream();
        let found = page(&conn, &stream, filter, from, limit.clamp(1, 1000)).await?;
        let jobs = found.messages.iter().filter_map(PendingJob::read).collect();
        Ok(BacklogPage {
            jobs,
            next: found.next,
        })
    }
}

impl PendingJob {
    fn read(stored: &Stored) -> Option<Self> {
        let (queue, id) = Names::parse(&stored.subject)?;
        let envelope = decode(&stored.payload).ok();
        Some(Self {
            id,
            queue,
            payload: envelope.as_ref().map(|e| e.payload.to_owned()),
            kind: envelope.map(|e| e.kind),
            due: due(stored),
            headers: passed_on(stored.headers.as_ref()),
        })
    }
}

/// When a stored schedule fires.
pub(super) fn due(stored: &Stored) -> Option<SystemTime> {
    let at = text(stored.headers.as_ref(), "Nats-Schedule")?.strip_prefix("@at ")?;
    OffsetDateTime::parse(at, &Rfc3339).ok().map(Into::into)
}

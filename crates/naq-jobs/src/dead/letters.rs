//! The dead letters of all queues.

use async_nats::HeaderMap;
use bytes::Bytes;

use crate::model::{JobId, QueueName};
use crate::payload::{payload_of, release, remove};
use crate::server::{Link, Stored, delete_sequence, exists, page, purge};
use crate::wire::{DeadHeaders, Names};
use crate::{JobsError, JobsErrorKind};

/// The dead letters of all queues. A cheap handle.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    link: Link,
}

/// A job that was given up, with its payload whole.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The job.
    pub id: JobId,
    /// The queue it came from.
    pub queue: QueueName,
    /// Its kind, if it was readable.
    pub kind: Option<String>,
    /// Why, one of the [`crate::FailureReason`] words.
    pub reason: String,
    /// The last error, one line, shortened; the outcome has it whole.
    pub error: String,
    /// The attempt that was the last.
    pub attempt: u32,
    /// Milliseconds since 1970 at which it was given up.
    pub dead_at_ms: u64,
    /// The body, byte for byte as it was enqueued.
    pub body: Bytes,
    pub(super) sequence: u64,
    pub(super) headers: Option<HeaderMap>,
}

/// Some dead letters, and where to go on.
#[derive(Debug)]
pub struct DeadPage {
    /// The dead letters, oldest first.
    pub letters: Vec<DeadLetter>,
    /// Pass it to [`DeadLetters::list`] for the next page; `None` at the end.
    pub next: Option<u64>,
}

impl DeadLetters {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// At most `limit` dead letters (at most 1000) of one queue or all, from `from` on: 0, or what the last page said.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn list(
        &self,
        queue: Option<&QueueName>,
        from: u64,
        limit: usize,
    ) -> Result<DeadPage, JobsError> {
        let conn = self.link.lease("list the dead letters").await?;
        let (names, limit) = (self.link.names(), limit.clamp(1, 1000));
        let filter = names.dead_filter(queue);
        let found = page(&conn, &names.dead_stream(), &filter, from, limit).await?;
        let letters = found
            .messages
            .into_iter()
            .filter_map(DeadLetter::read)
            .collect();
        Ok(DeadPage {
            letters,
            next: found.next,
        })
    }

    /// The dead letter of a job; `None` if there is none.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn find(&self, id: &JobId) -> Result<Option<DeadLetter>, JobsError> {
        let conn = self.link.lease("read a dead letter").await?;
        let names = self.link.names();
        let found = page(&conn, &names.dead_stream(), &names.dead_of(id), 0, 1).await?;
        Ok(found.messages.into_iter().find_map(DeadLetter::read))
    }

    /// Puts the job back into its queue, with all its retries, and removes the dead letter. Its failed outcome stays
    /// until the new run replaces it.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`] if there is none; [`JobsErrorKind::AlreadyExists`] if it is a unique job whose key
    /// another job has taken (its id is in the message); [`JobsErrorKind::Connection`] and
    /// [`JobsErrorKind::OutcomeUnknown`] (a retry helps and does not enqueue twice).
    pub async fn requeue(&self, id: &JobId) -> Result<(), JobsError> {
        let Some(letter) = self.find(id).await? else {
            return Err(JobsError::new(
                JobsErrorKind::NotFound,
                format!("find the dead letter of {id}"),
            ));
        };
        super::requeue::requeue(&self.link, &letter).await
    }

    /// Removes the dead letter of a job; `false` if there was none, which is no error.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn delete(&self, id: &JobId) -> Result<bool, JobsError> {
        let Some(letter) = self.find(id).await? else {
            return Ok(false);
        };
        let conn = self.link.lease("remove a dead letter").await?;
        let stream = self.link.names().dead_stream();
        let was_there = delete_sequence(&conn, &stream, letter.sequence).await?;
        release(&self.link, &letter.body).await?;
        Ok(was_there)
    }

    /// Removes the dead letters of one queue or all in one request; says how many there were. Their large payloads, if they
    /// have any, are looked for before and removed after it.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn purge(&self, queue: Option<&QueueName>) -> Result<u64, JobsError> {
        let conn = self.link.lease("remove dead letters").await?;
        let names = self.link.names();
        let may_be_large = exists(&conn, &names.payloads_stream()).await?;
        let (mut large, mut from) = (Vec::new(), may_be_large.then_some(0));
        while let Some(next) = from {
            let found = self.list(queue, next, 100).await?;
            let bodies = found.letters.into_iter().map(|letter| letter.body);
            large.extend(bodies.filter_map(|body| payload_of(&body)));
            from = found.next;
        }
        let removed = purge(&conn, &names.dead_stream(), &names.dead_filter(queue)).await?;
        for reference in &large {
            remove(&self.link, &conn, reference).await?;
        }
        Ok(removed)
    }
}

impl DeadLetter {
    fn read(stored: Stored) -> Option<Self> {
        let (queue, id) = Names::parse(&stored.subject)?;
        let (reason, error, kind, attempt, dead_at_ms) = DeadHeaders::read(stored.headers.as_ref());
        Some(Self {
            id,
            queue,
            kind,
            reason,
            error,
            attempt,
            dead_at_ms,
            body: stored.payload,
            sequence: stored.sequence,
            headers: stored.headers,
        })
    }
}

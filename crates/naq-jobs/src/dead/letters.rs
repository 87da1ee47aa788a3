//! The dead letters of all queues.

use serde_json::value::RawValue;

use super::bulk::{DeadBulk, Deed, Walk, bulk};
use super::filter::DeadFilter;
use super::groups::{DeadGroups, Grouping};
use super::letter::DeadLetter;
use crate::model::{JobId, QueueName};
use crate::payload::{payload_of, release, remove};
use crate::server::{Link, delete_sequence, exists, last_sequence, page, purge};
use crate::{JobsError, JobsErrorKind};

/// The dead letters of all queues. A cheap handle.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    link: Link,
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
        self.search(&DeadFilter::queue(queue), from, limit).await
    }

    /// As [`Self::list`], only those that fit. What does not fit is read and left out, so a page may take a while.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn search(
        &self,
        filter: &DeadFilter,
        from: u64,
        limit: usize,
    ) -> Result<DeadPage, JobsError> {
        let limit = limit.clamp(1, 1000);
        let mut walk = Walk::new(&self.link, filter, from).await?;
        let mut letters = Vec::new();
        while letters.len() < limit {
            match walk.page(limit - letters.len()).await? {
                Some(more) => letters.extend(more),
                None => break,
            }
        }
        Ok(DeadPage {
            letters,
            next: walk.next(),
        })
    }

    /// The letters that fit, by what they died of: see [`DeadLetter::fingerprint`]. Reads all of them, in bounded memory.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn groups(&self, filter: &DeadFilter) -> Result<DeadGroups, JobsError> {
        let mut walk = Walk::new(&self.link, filter, 0).await?;
        let mut grouping = Grouping::default();
        while let Some(letters) = walk.page(1000).await? {
            for letter in letters {
                grouping.add(letter);
            }
        }
        Ok(grouping.finish())
    }

    /// How many fit.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn count(&self, filter: &DeadFilter) -> Result<u64, JobsError> {
        let bulk = bulk(&self.link, filter, Deed::Count, u64::MAX, |_| {}).await?;
        Ok(bulk.matched)
    }

    /// Puts at most `most` jobs that fit back into their queues, as [`Self::requeue`] does; `told` hears of the sums
    /// now and then. A job that fails again meanwhile is not taken twice.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`]: some are done; call it again, it goes on.
    ///
    /// # Cancel safety
    /// Safe to drop and call again: each job is in its queue or still a dead letter, and a second requeue of
    /// the same letter enqueues nothing.
    pub async fn requeue_all(
        &self,
        filter: &DeadFilter,
        most: u64,
        told: impl FnMut(&DeadBulk),
    ) -> Result<DeadBulk, JobsError> {
        bulk(&self.link, filter, Deed::Retry, most, told).await
    }

    /// Removes at most `most` letters that fit. In one request, if only the queue and the highest age say which.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`]: some are gone; call it again.
    pub async fn delete_all(
        &self,
        filter: &DeadFilter,
        most: u64,
        told: impl FnMut(&DeadBulk),
    ) -> Result<DeadBulk, JobsError> {
        bulk(&self.link, filter, Deed::Delete, most, told).await
    }

    /// Gives the job of a dead letter another payload; all else of it stays. It is not run again by that. One that was
    /// kept in the object store is removed there; the new one goes into the letter.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`]; [`JobsErrorKind::InvalidPayload`] if its body is no envelope;
    /// [`JobsErrorKind::Conflict`] if somebody else changed or retried it meanwhile (read it again);
    /// [`JobsErrorKind::TooLarge`]; [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn edit(&self, id: &JobId, payload: &RawValue) -> Result<(), JobsError> {
        let letter = self.find(id).await?.ok_or_else(|| not_found(id))?;
        self.edit_letter(&letter, payload).await
    }

    /// As [`Self::edit`], of the letter as it was read: one that has changed since is a conflict.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub async fn edit_letter(
        &self,
        letter: &DeadLetter,
        payload: &RawValue,
    ) -> Result<(), JobsError> {
        super::edit::edit(&self.link, letter, payload).await
    }

    /// The payload of a letter, also if it is too large for the letter and kept in the object store.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`] if it is not in the object store any more; [`JobsErrorKind::InvalidPayload`] if the
    /// body is no envelope; [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn payload(&self, letter: &DeadLetter) -> Result<Box<RawValue>, JobsError> {
        super::edit::payload(&self.link, letter).await
    }

    /// The newest letters, at most `most` (at most 100), the newest first. Cheap, so that somebody may look each second.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn newest(&self, most: u64) -> Result<Vec<DeadLetter>, JobsError> {
        let conn = self.link.lease("look at the newest dead letters").await?;
        let (names, most) = (self.link.names(), most.clamp(1, 100));
        let stream = names.dead_stream();
        let from = last_sequence(&conn, &stream)
            .await?
            .saturating_sub(most - 1);
        let found = page(&conn, &stream, &names.dead_filter(None), from, 100).await?;
        let letters = found.messages.into_iter().rev();
        Ok(letters.filter_map(DeadLetter::read).collect())
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
        let letter = self.find(id).await?.ok_or_else(|| not_found(id))?;
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

fn not_found(id: &JobId) -> JobsError {
    JobsError::new(
        JobsErrorKind::NotFound,
        format!("find the dead letter of {id}"),
    )
}

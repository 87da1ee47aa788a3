//! The places of jobs that are counted together: messages that are created under compare-and-set and expire.
//!
//! ```text
//!   FREE ── created (nothing may be there) ──► HELD ── renewed with the lease ──► HELD
//!    ▲                                          │  └── its job is redelivered: taken over, by the job's id; the worker
//!    │                                          │      that had it before is told, and ends what it runs of the job
//!    └────────── removed by its sequence ───────┴───── expired: its job was never seen again
//! ```

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use naq_connection::Connection;

use crate::JobsError;
use crate::model::JobId;
use crate::server::{
    Link, Stored, delete_sequence, expect_newest, last_at_leader, subjects_at_leader,
    wrong_sequence,
};
use crate::wire::{Counted, headers, text};
use crate::worker::delivery::Delivered;

/// Times that others may take the place that was just seen free.
const TRIES: usize = 4;

/// Life of a place beyond the lease of its job.
const BEYOND: Duration = Duration::from_secs(5);

/// The places that jobs have which are counted together.
#[derive(Debug, Clone)]
pub(in crate::worker) struct Pool {
    pub(in crate::worker) counted: Counted,
    pub(in crate::worker) limit: u32,
    pub(in crate::worker) ack_wait: Duration,
}

/// Who holds a place.
#[derive(Debug, Clone)]
pub(in crate::worker) struct Holder {
    pub(in crate::worker) job: JobId,
    pub(in crate::worker) worker: Arc<str>,
}

/// A place that a job holds.
#[derive(Debug)]
pub(in crate::worker) struct Place {
    pub(in crate::worker) pool: Pool,
    /// Another worker had the job before, and perhaps still runs it.
    pub(in crate::worker) is_taken_over: bool,
    holder: Holder,
    subject: String,
    sequence: u64,
}

impl Pool {
    /// Those that count all jobs of the queue.
    pub(in crate::worker) fn of_queue(job: &Delivered, limit: u32) -> Self {
        Self {
            counted: Counted::Queue(job.queue.clone()),
            limit,
            ack_wait: job.ack_wait,
        }
    }

    /// Takes a place for the job: its own, should it be `held` from a delivery before, or a free one. `None`: all are held.
    pub(in crate::worker) async fn take(
        &self,
        conn: &Connection,
        link: &Link,
        holder: &Holder,
        may_be_held: bool,
    ) -> Result<Option<Place>, JobsError> {
        if may_be_held && let Some(own) = self.held_by(conn, link, &holder.job).await? {
            let is_taken_over = holder.is_not_in(&own);
            let place = self.put(conn, holder, own.subject, own.sequence).await?;
            return Ok(place.map(|place| Place {
                is_taken_over,
                ..place
            }));
        }
        let guess = fastrand::u32(0..self.limit);
        let guess = link.names().place(&self.counted, guess);
        if let Some(place) = self.put(conn, holder, guess, 0).await? {
            return Ok(Some(place));
        }
        for _ in 0..TRIES {
            let mut free = self.free(conn, link).await?;
            if free.is_empty() {
                return Ok(None);
            }
            let subject = free.swap_remove(fastrand::usize(..free.len()));
            if let Some(place) = self.put(conn, holder, subject, 0).await? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The free places, as the leader sees them.
    pub(in crate::worker) async fn free(
        &self,
        conn: &Connection,
        link: &Link,
    ) -> Result<Vec<String>, JobsError> {
        let filter = link.names().places(&self.counted);
        let held = subjects_at_leader(conn, &link.names().limits_stream(), &filter).await?;
        let all = (0..self.limit).map(|n| link.names().place(&self.counted, n));
        Ok(all.filter(|place| !held.contains(place)).collect())
    }

    /// Frees the place that `job` holds from a delivery before, if there is one.
    pub(in crate::worker) async fn free_of(
        &self,
        conn: &Connection,
        link: &Link,
        job: &JobId,
    ) -> Result<(), JobsError> {
        if let Some(own) = self.held_by(conn, link, job).await? {
            delete_sequence(conn, &link.names().limits_stream(), own.sequence).await?;
        }
        Ok(())
    }

    /// The place that `job` holds.
    async fn held_by(
        &self,
        conn: &Connection,
        link: &Link,
        job: &JobId,
    ) -> Result<Option<Stored>, JobsError> {
        let (stream, filter) = (
            link.names().limits_stream(),
            link.names().places(&self.counted),
        );
        for subject in subjects_at_leader(conn, &stream, &filter).await? {
            let found = last_at_leader(conn, &stream, &subject).await?;
            if let Some(own) = found.filter(|found| found.payload == job.as_str()) {
                return Ok(Some(own));
            }
        }
        Ok(None)
    }

    /// Writes a place over the message with `fence` (0: nothing); `None` if something else is there.
    async fn put(
        &self,
        conn: &Connection,
        holder: &Holder,
        subject: String,
        fence: u64,
    ) -> Result<Option<Place>, JobsError> {
        let mut fields = HeaderMap::new();
        fields.insert(headers::WORKER, &*holder.worker);
        expect_newest(&mut fields, fence);
        let life = (self.ack_wait + BEYOND).as_secs() + 1;
        fields.insert("Nats-TTL", format!("{life}s"));
        let sent = conn.publish_acked(subject.clone(), fields, holder.job.to_string());
        match sent.await {
            Ok(ack) => Ok(Some(Place {
                pool: self.clone(),
                is_taken_over: false,
                holder: holder.clone(),
                subject,
                sequence: ack.sequence,
            })),
            Err(error) if wrong_sequence(&error).is_some() => Ok(None),
            Err(error) => Err(JobsError::connection("take a place", error)),
        }
    }
}

impl Holder {
    /// Whether the place was written by another worker. (An older one did not say which it is.)
    fn is_not_in(&self, place: &Stored) -> bool {
        text(place.headers.as_ref(), headers::WORKER).is_some_and(|worker| worker != &*self.worker)
    }
}

impl Place {
    /// Time between two renewals.
    pub(in crate::worker) fn pause(&self) -> Duration {
        self.pool.ack_wait / 3
    }

    /// Prolongs its life; `false` if another worker has taken it over with the job. An answer that was lost, or a server
    /// that lost the place, is made up for.
    pub(in crate::worker) async fn renew(
        &mut self,
        conn: &Connection,
        link: &Link,
    ) -> Result<bool, JobsError> {
        let (holder, subject) = (self.holder.clone(), self.subject.clone());
        let put = async |there| self.pool.put(conn, &holder, subject.clone(), there).await;
        if let Some(renewed) = put(self.sequence).await? {
            self.sequence = renewed.sequence;
            return Ok(true);
        }
        let found = last_at_leader(conn, &link.names().limits_stream(), &subject).await?;
        let there = match found {
            Some(found) if found.payload == holder.job.as_str() => {
                if holder.is_not_in(&found) {
                    return Ok(false);
                }
                found.sequence
            }
            None => 0,
            Some(_) => {
                tracing::warn!(job = %holder.job, subject, "the place of a running job is held by another one");
                return Ok(true);
            }
        };
        if let Some(renewed) = put(there).await? {
            self.sequence = renewed.sequence;
        }
        Ok(true)
    }

    /// Frees it. A place that was taken over by another delivery stays.
    pub(in crate::worker) async fn free(
        &self,
        conn: &Connection,
        link: &Link,
    ) -> Result<(), JobsError> {
        delete_sequence(conn, &link.names().limits_stream(), self.sequence)
            .await
            .map(drop)
    }
}

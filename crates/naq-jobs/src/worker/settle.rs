//! Settling: the outcome under the fence, the dead letter, the acknowledgement. Each step is confirmed.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use naq_connection::{Connection, ConnectionErrorKind};

use super::delivery::Delivered;
use super::holds::Hold;
use crate::results::{outcome_headers, parse, strict_headers};
use crate::server::{Link, Stored, last_at_leader, now_ms, persist, wrong_sequence};
use crate::wire::{DeadHeaders, JobFailure, Outcome, Status, dead_headers, headers};
use crate::{JobsError, JobsErrorKind, failpoint};

/// Who recorded the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    /// This attempt.
    Ours,
    /// Another one, before.
    Other(Status),
    /// Nobody: it is a strict job, and a newer run has claimed it.
    Superseded,
}

/// Settles one delivered job; every step is tried again until `deadline`.
#[derive(Debug)]
pub(super) struct Settler<'a> {
    pub(super) link: &'a Link,
    pub(super) job: &'a Delivered,
    pub(super) hold: &'a Hold,
    pub(super) worker: &'a str,
    pub(super) deadline: tokio::time::Instant,
}

impl Settler<'_> {
    /// The outcome that is already there, if it is newer than the fence.
    pub(super) async fn existing(&self) -> Result<Option<Status>, JobsError> {
        let found = self.stored().await?;
        Ok(found
            .filter(|found| found.sequence > self.job.fence)
            .map(|found| status_of(&found)))
    }

    /// Writes the outcome, if nobody has.
    pub(super) async fn record(
        &self,
        outcome: &Outcome,
        ttl: Duration,
    ) -> Result<Recorded, JobsError> {
        let body: Bytes = serde_json::to_vec(outcome)
            .map_err(|e| {
                JobsError::new(JobsErrorKind::InvalidPayload, "write the outcome").because(e)
            })?
            .into();
        let (body, subject) = (&body, &self.link.names().result(&self.job.id));
        let mut fence = self.job.claim.unwrap_or(self.job.fence);
        let newest_of = self.job.claim.map(|_| self.claim_or_result());
        let newest_of = newest_of.as_deref();
        failpoint::reach("outcome-ready");
        loop {
            let sent = self
                .persist(move |conn| async move {
                    let mut fields = match newest_of {
                        None => outcome_headers(outcome, ttl, fence),
                        Some(subjects) => strict_headers(outcome, ttl, fence, subjects),
                    };
                    if let Some(own) = self.job.own_trace() {
                        own.write(&mut fields);
                    }
                    match conn
                        .publish_acked(subject.clone(), fields, body.clone())
                        .await
                    {
                        Ok(_) => Ok(Ok(())),
                        Err(e) => match wrong_sequence(&e) {
                            Some(there) => Ok(Err(there)),
                            None => Err(JobsError::connection("record the outcome", e)),
                        },
                    }
                })
                .await?;
            match sent {
                Ok(()) => {
                    failpoint::reach("outcome-stored");
                    return Ok(Recorded::Ours);
                }
                // The failed outcome that this run was to replace has expired, or its claim has: now none may exist.
                Err(0) if fence != 0 => fence = 0,
                Err(there) if there == self.job.fence && fence != there => fence = there,
                Err(_) => return Box::pin(self.recorded_by(outcome.nonce)).await,
            }
        }
    }

    /// Reads whose outcome is there.
    async fn recorded_by(&self, nonce: u64) -> Result<Recorded, JobsError> {
        let found = self.stored().await?;
        let is_settled = found
            .as_ref()
            .is_some_and(|found| found.sequence > self.job.fence);
        if self.job.claim.is_some() && !is_settled {
            return Ok(Recorded::Superseded);
        }
        let Some(found) = found else {
            return Err(JobsError::new(
                JobsErrorKind::Conflict,
                "read the outcome: it has gone",
            ));
        };
        Ok(match parse(&found.subject, &found.payload) {
            Ok(outcome) if outcome.nonce == nonce => Recorded::Ours,
            _ => Recorded::Other(status_of(&found)),
        })
    }

    /// Whether the job's dead letter is there.
    pub(super) async fn has_dead_letter(&self) -> Result<bool, JobsError> {
        let stream = &self.link.names().dead_stream();
        let subject = &self.link.names().dead(&self.job.queue, &self.job.id);
        let found = self
            .persist(move |conn| async move { last_at_leader(&conn, stream, subject).await })
            .await?;
        Ok(found.is_some())
    }

    /// The record on the result subject.
    async fn stored(&self) -> Result<Option<Stored>, JobsError> {
        let stream = &self.link.names().results_stream();
        let subject = &self.link.names().result(&self.job.id);
        self.persist(move |conn| async move { last_at_leader(&conn, stream, subject).await })
            .await
    }

    /// Writes the dead letter: the whole body, and as many headers as fit.
    pub(super) async fn bury(&self, failure: &JobFailure) -> Result<(), JobsError> {
        let subject = &self.link.names().dead(&self.job.queue, &self.job.id);
        let original = self.job.message.headers.as_ref();
        let queue = self.job.queue.to_string();
        let mut full = dead_headers(
            original,
            &DeadHeaders {
                failure,
                kind: self.job.kind.as_deref(),
                queue: &queue,
                attempt: self.job.attempt(),
                worker: self.worker,
                at_ms: now_ms(),
            },
        );
        self.job.keep_trace(&mut full);
        let mut short = HeaderMap::new();
        short.insert(headers::REASON, failure.reason.as_str());
        // A foreign message may fill max_payload to the last byte; then the reason is in the outcome only.
        for fields in &[full, short, HeaderMap::new()] {
            let body = &self.job.message.payload;
            let done = self
                .persist(move |conn| async move {
                    match conn
                        .publish_acked(subject.clone(), fields.clone(), body.clone())
                        .await
                    {
                        Ok(_) => Ok(true),
                        Err(e) if *e.kind() == ConnectionErrorKind::PayloadTooLarge => Ok(false),
                        Err(e) => Err(JobsError::connection("write the dead letter", e)),
                    }
                })
                .await?;
            if done {
                failpoint::reach("dead-letter-stored");
                return Ok(());
            }
        }
        Err(JobsError::new(
            JobsErrorKind::TooLarge,
            "write the dead letter: the body alone is too large",
        ))
    }

    /// Acknowledges the job by itself, for one that goes back as a new message; see [`super::acks`] for the others.
    /// What counts is written by now, so an acknowledgement that stays unanswered is left alone: the job comes again.
    /// (A server that was killed has forgotten the last deliveries before it, and does not answer.)
    pub(super) async fn ack(&self) -> Result<(), JobsError> {
        self.answer("+ACK").await
    }

    /// Gives the job back to the queue. Only under a valid lease: a late one makes a further delivery.
    pub(super) async fn hand_back(&self) -> Result<(), JobsError> {
        self.answer("-NAK").await
    }

    async fn answer(&self, word: &'static str) -> Result<(), JobsError> {
        self.persist(move |conn| async move {
            loop {
                let Some(reply) = self.hold.reply() else {
                    return Ok(());
                };
                let answer = tokio::select! {
                    answer = conn.request(reply, word) => answer,
                    // Delivered again meanwhile: that delivery is the one to be answered.
                    () = self.hold.moved() => continue,
                };
                return match answer {
                    Err(e) if matches!(e.kind(), ConnectionErrorKind::Deadline { .. }) => {
                        tracing::debug!(id = %self.job.id, word, "unanswered; the job will come again");
                        Ok(())
                    }
                    answer => answer
                        .map(drop)
                        .map_err(|e| JobsError::connection(format!("answer {word}"), e)),
                };
            }
        })
        .await
    }

    /// Claim and outcome of a strict job.
    pub(super) fn claim_or_result(&self) -> String {
        self.link.names().claim_or_result(&self.job.id)
    }

    pub(super) async fn persist<T, Fut>(
        &self,
        step: impl Fn(Connection) -> Fut,
    ) -> Result<T, JobsError>
    where
        Fut: Future<Output = Result<T, JobsError>>,
    {
        persist(self.link, "settle a job", self.deadline, step).await
    }

    /// As [`Self::persist`], while the lease lasts: what the next delivery takes over is left to it.
    pub(super) async fn persist_under_lease<Fut>(
        &self,
        step: impl Fn(Connection) -> Fut,
    ) -> Result<(), JobsError>
    where
        Fut: Future<Output = Result<(), JobsError>>,
    {
        tokio::select! {
            biased;
            () = self.hold.lost().given() => Ok(()),
            done = self.persist(step) => done,
        }
    }
}

/// What a record says. One that is unreadable was not written by a worker; its job is kept as a dead letter.
fn status_of(found: &Stored) -> Status {
    parse(&found.subject, &found.payload).map_or(Status::Failed, |outcome| outcome.status)
}

//! What happens to one delivered job, from the message to the acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::acks::{Acks, Settled};
use super::cancels::Cancels;
use super::conclude::Span;
use super::delivery::Delivered;
use super::handler::{Registry, States, Threads};
use super::holds::{Hold, Holds};
use super::limits::Buckets;
use super::line::Elsewhere;
use super::line::Lines;
use super::prepare::undecodable;
use super::settle::Settler;
use super::shared_slots::Slot;
use super::steering::Steering;
use super::tally::{Left, Tally};
use super::verdict::Verdict;
use crate::notes::Outbox;
use crate::server::{Link, now_ms};
use crate::wire::{FailureReason, JobFailure, Status, decode};
use crate::{JobsError, failpoint};

/// Time to settle beyond the lease, while the server does not answer. After it the job is left to be redelivered.
pub(super) const SETTLE_MORE: Duration = Duration::from_secs(30);

/// Target of the log that has one line per job, at level debug.
const JOB_LOG: &str = "naq_jobs::job";

/// Shared by all jobs of a worker.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) link: Link,
    pub(super) registry: Registry,
    pub(super) states: Arc<States>,
    pub(super) threads: Threads,
    pub(super) notes: Outbox,
    pub(super) worker: Arc<str>,
    pub(super) holds: Holds,
    pub(super) cancels: Cancels,
    /// What is set at run time, and with it the hard limit of running handlers; the slots keep that from ever being
    /// waited for, a reconnect apart.
    pub(super) steering: Steering,
    pub(super) buckets: Buckets,
    pub(super) acks: Acks,
    /// Jobs that wait for a place of their queue.
    pub(super) lines: Arc<Lines>,
    /// And in the other workers.
    pub(super) elsewhere: Elsewhere,
    /// The worker takes no more jobs.
    pub(super) stopping: CancellationToken,
    /// The worker ends what runs.
    pub(super) abort: CancellationToken,
    pub(super) tally: Tally,
}

impl Runner {
    /// Runs and settles one job; `slot` is given back as soon as the next job may start. Never fails: what cannot be
    /// settled is redelivered by the server.
    pub(super) async fn take(self: Arc<Self>, mut job: Box<Delivered>, hold: Hold, slot: Slot) {
        failpoint::reach("job-delivered");
        let started = Instant::now();
        let mut slot = slot;
        let (left, is_recorded) = match self.process_and_tell(&mut job, &hold, &mut slot).await {
            Ok(ended) => ended,
            Err(error) => {
                let id = &job.id;
                tracing::warn!(%id, %error, "job not settled; the server will deliver it again");
                (Left::Abandoned, false)
            }
        };
        let (id, kind) = (&job.id, job.kind.as_deref().unwrap_or("?"));
        let trace_id = job.trace.as_ref().map(|trace| trace.context().trace_id());
        tracing::debug!(target: JOB_LOG, %id, kind, attempt = job.attempt(), took = ?started.elapsed(), trace_id, "{left}");
        self.tell_left(&job, left, &hold);
        if !left.needs_ack() {
            drop(slot);
            return self.tally.count(left);
        }
        let deadline = Instant::now() + job.ack_wait + SETTLE_MORE;
        let settled = Settled {
            hold,
            left,
            is_recorded,
            deadline,
        };
        // The slot is given back after this: should the server not answer, the worker comes to rest.
        self.acks.give(settled).await;
        drop(slot);
    }

    /// As [`Self::process`]; if the job belongs to a workflow and has ended, that is told before it is acknowledged.
    async fn process_and_tell(
        &self,
        job: &mut Delivered,
        hold: &Hold,
        slot: &mut Slot,
    ) -> Result<(Left, bool), JobsError> {
        let ended = self.process(job, hold, slot).await?;
        if job.flow.is_some() || ended.0 == Left::Elsewhere {
            Box::pin(self.tell_workflow(job, hold, ended.0)).await?;
        }
        if job.is_awaited || ended.0 == Left::Elsewhere {
            Box::pin(self.release_heirs(job, ended.0)).await?;
        }
        Ok(ended)
    }

    /// How the job left, and whether that is written down somewhere.
    async fn process(
        &self,
        job: &mut Delivered,
        hold: &Hold,
        slot: &mut Slot,
    ) -> Result<(Left, bool), JobsError> {
        if self.steering.has_rules()
            && self.steering.limits(&job.queue).together.is_some()
            && let Some(left) = Box::pin(self.enter(job, hold, slot)).await?
        {
            return Ok(left);
        }
        let _permit = match self.steering.permits.try_acquire() {
            Ok(permit) if !self.stopping.is_cancelled() => permit,
            _ => tokio::select! {
                biased;
                () = hold.lost().given() => return Ok((Left::Abandoned, false)),
                () = self.stopping.cancelled() => return Ok((Box::pin(self.hand_back(job, hold)).await?, false)),
                permit = self.steering.permits.acquire() => match permit {
                    Ok(permit) => permit,
                    Err(_closed) => return Ok((Left::Abandoned, false)),
                },
            },
        };
        if job.may_be_settled() && Box::pin(self.is_settled(job, hold)).await? {
            self.leave(job, hold, Left::Elsewhere).await;
            return Ok((Left::Elsewhere, true));
        }
        let ended = self.run(job, hold).await?;
        self.leave(job, hold, ended.0).await;
        Ok(ended)
    }

    /// Gives back what the job may have taken for the time of its run.
    pub(super) async fn leave(&self, job: &mut Delivered, hold: &Hold, left: Left) {
        if !job.places.is_empty() || self.steering.has_rules() {
            Box::pin(self.leave_places(job, hold, left)).await;
        }
    }

    /// Whether an outcome is there already; then only the acknowledgement is left to do.
    pub(super) async fn is_settled(&self, job: &Delivered, hold: &Hold) -> Result<bool, JobsError> {
        let settler = self.settler(job, hold);
        let Some(status) = settler.existing().await? else {
            return Ok(false);
        };
        if status == Status::Failed && !settler.has_dead_letter().await? {
            // The worker died between the outcome and the dead letter.
            let failure = JobFailure::new(FailureReason::Error, "see the outcome of the job");
            settler.bury(&failure).await?;
        }
        if status != Status::Failed {
            Box::pin(self.tidy(job, Left::Completed)).await?;
        }
        Ok(true)
    }

    /// Decodes, runs, and writes down what came of it.
    async fn run(&self, job: &mut Delivered, hold: &Hold) -> Result<(Left, bool), JobsError> {
        let started_at_ms = now_ms();
        let body = job.message.payload.clone();
        let decoded = decode(&body);
        job.kind = decoded.as_ref().ok().map(|e| e.kind.to_string());
        job.flow = decoded.as_ref().ok().and_then(|e| e.flow.clone());
        job.is_awaited = decoded.as_ref().is_ok_and(|e| e.is_awaited);
        if let Ok(envelope) = &decoded
            && self.is_in_question(job, envelope)
            && let Some(left) = Box::pin(self.admit(job, envelope, hold)).await?
        {
            return Ok((left, true));
        }
        let mut span = Span {
            started_at_ms,
            ttl: self.link.settings().results.ttl,
            keeps_result: true,
            packs_result: false,
        };
        if decoded.as_ref().is_ok_and(|envelope| envelope.strict)
            && let Some(left) = Box::pin(self.claim(job, hold, span.ttl)).await?
        {
            return Ok((left, true));
        }
        let mut has_object = false;
        if let Ok(envelope) = &decoded {
            span.ttl = envelope.result_ttl.unwrap_or(span.ttl);
            // Without a record the payload could not be removed before the acknowledgement, and nobody would see the end.
            span.keeps_result = envelope.keeps_result
                || envelope.strict
                || envelope.is_awaited
                || envelope.payload_ref.is_some();
        }
        let verdict = match decoded {
            Err(error) => Verdict::Dead(undecodable(&error)),
            Ok(envelope) if !envelope.is_plain() => {
                has_object = envelope.payload_ref.is_some();
                span.packs_result = envelope.is_packed();
                Box::pin(self.attempts_of_large(job, envelope, hold)).await?
            }
            Ok(ref envelope) => match self.prepare(job, envelope) {
                Ok(prepared) => self.attempts_in_place(job, envelope, &prepared, hold).await,
                Err(verdict) => verdict,
            },
        };
        if !span.keeps_result && !job.was_cancelled && matches!(verdict, Verdict::Complete(_)) {
            return Ok((Left::Completed, false));
        }
        if job.last_note > 0 {
            // Who sees the end is to have seen all that came before.
            self.notes.sent(job.last_note).await;
        }
        // Boxed: the ways of settling are large, and each job would carry them all from its start.
        let left = Box::pin(self.conclude(job, hold, verdict, span)).await?;
        if has_object {
            Box::pin(self.tidy(job, left)).await?;
        }
        Ok((left, true))
    }

    /// Deliveries of one message after which the job does not run any more.
    pub(super) fn max_deliver(&self, job: &Delivered) -> u32 {
        self.link
            .settings()
            .queues
            .max_deliver_of(job.queue.as_str())
    }

    /// A settler with the usual patience.
    pub(super) fn settler<'a>(&'a self, job: &'a Delivered, hold: &'a Hold) -> Settler<'a> {
        self.settler_within(job, hold, job.ack_wait + SETTLE_MORE)
    }

    pub(super) fn settler_within<'a>(
        &'a self,
        job: &'a Delivered,
        hold: &'a Hold,
        limit: Duration,
    ) -> Settler<'a> {
        let deadline = Instant::now() + limit;
        Settler {
            link: &self.link,
            job,
            hold,
            worker: &self.worker,
            deadline,
        }
    }
}

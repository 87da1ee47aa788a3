//! What happens to one delivered job, from the message to the acknowledgement.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::{self, Limits};
use super::conclude::Span;
use super::context::{Inner, JobContext};
use super::delivery::Delivered;
use super::holds::{Hold, Holds};
use super::registry::{Handle, Registry};
use super::settle::Settler;
use super::tally::{Left, Tally};
use super::verdict::{AttemptEnd, Verdict, decide};
use crate::JobsError;
use crate::model::KindName;
use crate::server::{Link, now_ms};
use crate::wire::{
    Envelope, FailureReason, JobFailure, RunningJob, Status, Undecodable, decode, passed_on,
};

/// Time to settle beyond the lease, while the server does not answer. After it the job is left to be redelivered.
const SETTLE_MORE: Duration = Duration::from_secs(30);

/// Target of the log that has one line per job, at level debug.
const JOB_LOG: &str = "naq_jobs::job";

/// Shared by all jobs of a worker.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) link: Link,
    pub(super) registry: Registry,
    pub(super) worker: Arc<str>,
    pub(super) holds: Holds,
    /// The hard limit of running handlers; the slots keep it from ever being waited for, a reconnect apart.
    pub(super) permits: Semaphore,
    /// Acknowledgements that may be unanswered at the same time.
    pub(super) answering: Semaphore,
    /// The worker takes no more jobs.
    pub(super) stopping: CancellationToken,
    /// The worker ends what runs.
    pub(super) abort: CancellationToken,
    pub(super) tally: Tally,
}

impl Runner {
    /// Runs and settles one job; `slot` is given back as soon as the next job may start. Never fails: what cannot be
    /// settled is redelivered by the server.
    pub(super) async fn take(&self, mut job: Delivered, hold: Hold, slot: impl Sized) {
        let started = Instant::now();
        let left = match self.process(&mut job, &hold, slot).await {
            Ok(left) => left,
            Err(error) => {
                let id = &job.id;
                tracing::warn!(%id, %error, "job not settled; the server will deliver it again");
                Left::Abandoned
            }
        };
        self.tally.count(left);
        let (id, kind, took) = (
            &job.id,
            job.kind.as_deref().unwrap_or("?"),
            started.elapsed(),
        );
        tracing::debug!(target: JOB_LOG, %id, kind, attempt = job.attempt(), ?took, "{left}");
    }

    async fn process(
        &self,
        job: &mut Delivered,
        hold: &Hold,
        slot: impl Sized,
    ) -> Result<Left, JobsError> {
        let permit = tokio::select! {
            biased;
            () = hold.lost().cancelled() => return Ok(Left::Abandoned),
            () = self.stopping.cancelled() => return self.hand_back(job, hold).await,
            permit = self.permits.acquire() => permit,
        };
        let left = match self.is_settled(job, hold).await? {
            true => Left::Elsewhere,
            false => self.run(job, hold).await?,
        };
        if !left.needs_ack() {
            return Ok(left);
        }
        // What counts is written, so the next job may start; but not without bound, should the server not answer.
        let _answering = self.answering.acquire().await;
        drop((permit, slot));
        self.settler(job, hold).ack().await?;
        Ok(left)
    }

    /// Whether an outcome is there already; then only the acknowledgement is left to do.
    async fn is_settled(&self, job: &Delivered, hold: &Hold) -> Result<bool, JobsError> {
        if !job.may_be_settled() {
            return Ok(false);
        }
        let settler = self.settler(job, hold);
        let Some(status) = settler.existing().await? else {
            return Ok(false);
        };
        if status == Status::Failed && !settler.has_dead_letter().await? {
            // The worker died between the outcome and the dead letter.
            let failure = JobFailure::new(FailureReason::Error, "see the outcome of the job");
            settler.bury(&failure).await?;
        }
        Ok(true)
    }

    /// Decodes, runs, and writes down what came of it.
    async fn run(&self, job: &mut Delivered, hold: &Hold) -> Result<Left, JobsError> {
        let started_at_ms = now_ms();
        let body = job.message.payload.clone();
        let decoded = decode(&body);
        job.kind = decoded.as_ref().ok().map(|e| e.kind.to_string());
        let prepared = decoded
            .map_err(|error| undecodable(&error))
            .and_then(|envelope| {
                let handler = self.handler_of(job, &envelope)?;
                Ok((envelope, handler))
            });
        let (verdict, ttl) = match prepared {
            Err(failure) => (Verdict::Dead(failure), None),
            Ok((envelope, handler)) => {
                let verdict = self.attempts(job, &envelope, &*handler, hold).await;
                (verdict, envelope.result_ttl)
            }
        };
        let ttl = ttl.unwrap_or(self.link.settings().results.ttl);
        self.conclude(job, hold, verdict, Span { started_at_ms, ttl })
            .await
    }

    /// The handler, unless the job may not run.
    fn handler_of(
        &self,
        job: &Delivered,
        envelope: &Envelope<'_>,
    ) -> Result<Arc<dyn Handle>, JobFailure> {
        let limit = self.max_deliver(job);
        if !job.has_valid_id {
            let subject = &job.message.subject;
            let text = format!("the last part of the subject {subject} is no job id");
            return Err(JobFailure::new(FailureReason::Undecodable, text));
        }
        if job.deliveries > limit {
            let text = format!(
                "delivered {limit} times without being settled: its workers died or lost their \
                 leases (`queues.max_deliver`)"
            );
            return Err(JobFailure::new(FailureReason::Deliveries, text));
        }
        let kind = &envelope.kind;
        self.registry.get(kind.as_str()).cloned().ok_or_else(|| {
            let known = self.registry.kinds().join(", ");
            let text = format!("no handler for the kind {kind}; this worker knows: {known}");
            JobFailure::new(FailureReason::UnknownKind, text)
        })
    }

    /// Deliveries of one message after which the job does not run any more.
    pub(super) fn max_deliver(&self, job: &Delivered) -> u32 {
        self.link
            .settings()
            .queues
            .max_deliver_of(job.queue.as_str())
    }

    /// Runs attempts until the verdict is one for the server; short retries stay here, under the lease.
    async fn attempts(
        &self,
        job: &mut Delivered,
        envelope: &Envelope<'_>,
        handler: &dyn Handle,
        hold: &Hold,
    ) -> Verdict {
        let workers = &self.link.settings().workers;
        let limits = Limits {
            timeout: envelope.timeout.unwrap_or(workers.max_job_duration),
            lost: hold.lost(),
            abort: &self.abort,
        };
        loop {
            hold.runs(running(job, &envelope.kind));
            let context = self.context(job, envelope);
            let end = attempt::run(handler, context, envelope.payload, &limits).await;
            // A process that was stopped may find its handler finished before it looks at the clock.
            let end = if hold.has_lapsed() {
                AttemptEnd::LeaseLost
            } else {
                end
            };
            let delay = match decide(end, &envelope.retry, job.retries_done) {
                Verdict::RetryHere(delay) => delay,
                verdict => return verdict,
            };
            self.tally.retried.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = hold.lost().cancelled() => return Verdict::Nothing,
                () = self.abort.cancelled() => return Verdict::HandBack,
                () = tokio::time::sleep(delay) => {
                    job.retries_done += 1;
                    job.attempts_before += 1;
                }
            }
        }
    }

    fn context(&self, job: &Delivered, envelope: &Envelope<'_>) -> JobContext {
        JobContext::new(Inner {
            id: job.id.clone(),
            kind: envelope.kind.clone(),
            queue: job.queue.clone(),
            attempt: job.attempt(),
            retries: envelope.retry.retries,
            enqueued_at: envelope.enqueued_at,
            headers: passed_on(job.message.headers.as_ref()),
            worker: Arc::clone(&self.worker),
            cancelled: CancellationToken::new(),
        })
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

fn running(job: &Delivered, kind: &KindName) -> RunningJob {
    RunningJob {
        job_id: job.id.to_string(),
        kind: kind.to_string(),
        queue: job.queue.to_string(),
        attempt: job.attempt(),
        started_at_ms: now_ms(),
    }
}

fn undecodable(error: &Undecodable) -> JobFailure {
    let reason = match error {
        Undecodable::Version(_) => FailureReason::UnsupportedVersion,
        Undecodable::Malformed(_) => FailureReason::Undecodable,
    };
    JobFailure::new(reason, error.to_string())
}

//! The attempts of a job that are made in one go: until the verdict is one for the server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::attempt::{self, Limits};
use super::context::{Inner, JobContext};
use super::delivery::Delivered;
use super::holds::Hold;
use super::lazy_token::LazyToken;
use super::prepare::Prepared;
use super::runner::Runner;
use super::time_limits::TimeLimits;
use super::verdict::{AttemptEnd, Verdict, decide};
use crate::failpoint;
use crate::server::unix_ms;
use crate::wire::{Envelope, origin, passed_on};
use crate::workflow::Membership;

impl Runner {
    /// As [`Self::attempts`], with the places of the job, if it has any, kept meanwhile.
    pub(super) async fn attempts_in_place(
        &self,
        job: &mut Delivered,
        envelope: &Envelope<'_>,
        prepared: &Prepared<'_>,
        hold: &Hold,
    ) -> Verdict {
        if job.places.is_empty() {
            return self.attempts(job, envelope, prepared, hold).await;
        }
        // Boxed, as all that a plain job has no need of: it would carry it from its start.
        Box::pin(self.attempts_kept(job, envelope, prepared, hold)).await
    }

    async fn attempts_kept(
        &self,
        job: &mut Delivered,
        envelope: &Envelope<'_>,
        prepared: &Prepared<'_>,
        hold: &Hold,
    ) -> Verdict {
        let mut places = std::mem::take(&mut job.places);
        let done = CancellationToken::new();
        let attempts = async {
            let verdict = self.attempts(job, envelope, prepared, hold).await;
            done.cancel();
            verdict
        };
        let keep = places
            .iter_mut()
            .map(|place| self.keep_place(place, hold, &done));
        let (verdict, _) = tokio::join!(attempts, join_all(keep));
        job.places = places;
        verdict
    }

    /// Runs attempts until the verdict is one for the server; short retries stay here, under the lease.
    async fn attempts(
        &self,
        job: &mut Delivered,
        envelope: &Envelope<'_>,
        prepared: &Prepared<'_>,
        hold: &Hold,
    ) -> Verdict {
        let workers = &self.link.settings().workers;
        let usual = envelope.timeout.unwrap_or(workers.max_job_duration);
        let mut times = TimeLimits::of(job, envelope);
        let mut limits = Limits {
            timeout: usual,
            lost: hold.lost(),
            abort: &self.abort,
        };
        loop {
            let now = SystemTime::now();
            if let Some(refusal) = times.refusal(now) {
                return refusal;
            }
            limits.timeout = times.starts(usual, now);
            self.begin_trace(job, envelope).await;
            let context = self.context(job, envelope);
            hold.runs(context.clone(), unix_ms(now));
            if let Some(cancelled) = self.cancels.verdict(&job.id) {
                job.end_trace(&cancelled);
                return cancelled;
            }
            self.tell_started(job, &context, unix_ms(now));
            let end = attempt::run(prepared, context.clone(), &limits).await;
            job.has_run(&context);
            failpoint::reach("handler-ended");
            // A process that was stopped may find its handler finished before it looks at the clock.
            let end = match hold.has_lapsed() {
                true => AttemptEnd::LeaseLost,
                false => end,
            };
            let now = SystemTime::now();
            let end = times.ended(end, now);
            let last = times.keep(&end);
            job.failure = end.failure().cloned();
            let verdict = decide(end, &envelope.retry, job.retries_done, fastrand::f64());
            let verdict = times.check(verdict, last, now);
            job.end_trace(&verdict);
            let (delay, is_retry) = match verdict {
                Verdict::RetryHere(delay) => (delay, true),
                Verdict::SnoozeHere(delay) => (delay, false),
                verdict => return verdict,
            };
            self.tell_again(job, delay, is_retry);
            if let Some(verdict) = Box::pin(self.wait(hold, delay)).await {
                return verdict;
            }
            if is_retry {
                self.tally.retried.fetch_add(1, Ordering::Relaxed);
                job.next_retry();
            }
        }
    }

    /// Waits for the next attempt here; says what ended that before.
    async fn wait(&self, hold: &Hold, delay: Duration) -> Option<Verdict> {
        tokio::select! {
            () = hold.lost().given() => Some(Verdict::Nothing),
            () = self.abort.cancelled() => Some(Verdict::HandBack),
            () = tokio::time::sleep(delay) => None,
        }
    }

    fn context(&self, job: &Delivered, envelope: &Envelope<'_>) -> JobContext {
        JobContext::new(Inner {
            id: job.id.clone(),
            kind: envelope.kind.clone(),
            queue: job.queue.clone(),
            attempt: job.attempt(),
            fence: job.claim,
            retries: envelope.retry.retries,
            enqueued_at: envelope.enqueued_at,
            deadline: envelope.deadline,
            headers: passed_on(job.message.headers.as_ref()),
            origin: origin(job.message.headers.as_ref()),
            worker: Arc::clone(&self.worker),
            states: Arc::clone(&self.states),
            cancelled: LazyToken::default(),
            membership: job
                .flow
                .as_ref()
                .and_then(|flow| Membership::new(&self.link, flow)),
            trace: job.trace.clone(),
            notice: OnceLock::new(),
            notes: self.notes.clone(),
            last_note: AtomicU64::new(0),
        })
    }
}

//! Carries out a verdict: everything but the acknowledgement.

use std::time::Duration;

use naq_config::settings::Compression;

use super::delivery::Delivered;
use super::holds::Hold;
use super::runner::Runner;
use super::settle::Recorded;
use super::sleep::Back;
use super::tally::Left;
use super::verdict::Verdict;
use crate::payload::is_plain;
use crate::server::now_ms;
use crate::wire::{FailureReason, JobFailure, Outcome, Status};
use crate::{JobsError, JobsErrorKind};

/// Time that a hand-back is tried: the worker is stopping, and the lease ends by itself.
const HAND_BACK: Duration = Duration::from_secs(2);

/// Longest error text in an outcome, in bytes, and most causes.
const MAX_ERROR: (usize, usize) = (16 * 1024, 32);

/// When the job started here, how long its outcome is kept, and whether it is kept if the job completes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) started_at_ms: u64,
    pub(super) ttl: Duration,
    pub(super) keeps_result: bool,
    /// Whether its result is compressed, whatever the settings say: its payload was.
    pub(super) packs_result: bool,
}

impl Span {
    /// What the job says of compression.
    pub(super) fn compression(self) -> Option<Compression> {
        self.packs_result.then_some(Compression::Zlib)
    }
}

impl Runner {
    /// Writes down what came of the attempts.
    pub(super) async fn conclude(
        &self,
        job: &Delivered,
        hold: &Hold,
        verdict: Verdict,
        span: Span,
    ) -> Result<Left, JobsError> {
        match verdict {
            Verdict::Complete(result) => self.complete(job, hold, result, span).await,
            Verdict::Dead(failure) => Box::pin(self.give_up(job, hold, failure, span)).await,
            Verdict::Cancel(failure) => Box::pin(self.cancel(job, hold, failure, span)).await,
            Verdict::RetryLater(_) | Verdict::SnoozeLater(_) if hold.has_lapsed() => {
                Ok(Left::Abandoned)
            }
            Verdict::RetryLater(delay) => {
                let settler = self.settler(job, hold);
                Box::pin(settler.schedule(Back::of(job, delay).retry())).await?;
                self.tell_retry(job, delay);
                Ok(Left::Retried)
            }
            Verdict::SnoozeLater(delay) => {
                let settler = self.settler(job, hold);
                Box::pin(settler.schedule(Back::of(job, delay).snooze())).await?;
                Ok(Left::Snoozed)
            }
            Verdict::HandBack => Box::pin(self.hand_back(job, hold)).await,
            Verdict::Nothing | Verdict::RetryHere(_) | Verdict::SnoozeHere(_) => {
                Ok(Left::Abandoned)
            }
        }
    }

    async fn complete(
        &self,
        job: &Delivered,
        hold: &Hold,
        result: Box<serde_json::value::RawValue>,
        span: Span,
    ) -> Result<Left, JobsError> {
        let size = result.get().len();
        let mut outcome = self.outcome(job, Status::Completed, span);
        if is_plain(&self.link, &result, span.compression()) {
            outcome.result = Some(result);
        } else {
            Box::pin(self.put_result(job, &mut outcome, result, span)).await?;
        }
        // The attempt ended under a valid lease. Should that lapse while the server does not answer, the result is
        // still offered: the fence lets the first one win.
        match self.settler(job, hold).record(&outcome, span.ttl).await {
            Ok(Recorded::Ours) => Ok(Left::Completed),
            Ok(recorded) => {
                Box::pin(self.drop_result(&outcome)).await;
                Ok(match recorded {
                    Recorded::Superseded => Left::Abandoned,
                    Recorded::Ours | Recorded::Other(_) => Left::Elsewhere,
                })
            }
            Err(error) if error.kind() == JobsErrorKind::TooLarge => {
                let limit = self.link.lease("record the outcome").await?.max_payload();
                let failure = too_large(size, limit);
                Box::pin(self.give_up(job, hold, failure, span)).await
            }
            Err(error) => Err(error),
        }
    }

    async fn give_up(
        &self,
        job: &Delivered,
        hold: &Hold,
        mut failure: JobFailure,
        span: Span,
    ) -> Result<Left, JobsError> {
        if hold.has_lapsed() {
            return Ok(Left::Abandoned);
        }
        // An error text may be of any length; the record is cut, the dead letter keeps the payload whole.
        shorten(&mut failure);
        let settler = self.settler(job, hold);
        let mut outcome = self.outcome(job, Status::Failed, span);
        outcome.error = Some(failure.clone());
        let recorded = settler.record(&outcome, span.ttl).await?;
        match recorded {
            Recorded::Superseded => return Ok(Left::Abandoned),
            Recorded::Other(Status::Completed | Status::Cancelled) => return Ok(Left::Elsewhere),
            Recorded::Ours | Recorded::Other(Status::Failed) => {}
        }
        settler.bury(&failure).await?;
        self.tell_failed(job, &failure);
        tracing::warn!(id = %job.id, reason = %failure.reason, error = %failure.message, "job failed");
        Ok(if recorded == Recorded::Ours {
            Left::Failed
        } else {
            Left::Elsewhere
        })
    }

    /// Records that nobody wants the job any more. Whoever cancelled it has mostly done so already.
    async fn cancel(
        &self,
        job: &Delivered,
        hold: &Hold,
        mut failure: JobFailure,
        span: Span,
    ) -> Result<Left, JobsError> {
        if hold.has_lapsed() {
            return Ok(Left::Abandoned);
        }
        shorten(&mut failure);
        let mut outcome = self.outcome(job, Status::Cancelled, span);
        outcome.error = Some(failure);
        let recorded = self.settler(job, hold).record(&outcome, span.ttl).await?;
        if recorded == Recorded::Ours {
            self.tell_cancelled(job, outcome.error.as_ref());
        }
        Ok(match recorded {
            Recorded::Ours | Recorded::Other(Status::Cancelled) => Left::Cancelled,
            Recorded::Other(Status::Completed | Status::Failed) => Left::Elsewhere,
            Recorded::Superseded => Left::Abandoned,
        })
    }

    /// Gives the job back to the queue, if it is still ours to give.
    ///
    /// A NAK keeps its place in the queue, but counts as a delivery. When those are used up, the job is put back as a
    /// new message instead: nobody's job ends in the dead letters because its workers were stopped well.
    pub(super) async fn hand_back(&self, job: &Delivered, hold: &Hold) -> Result<Left, JobsError> {
        if hold.has_lapsed() {
            return Ok(Left::Abandoned);
        }
        let settler = self.settler_within(job, hold, HAND_BACK);
        if job.deliveries < self.max_deliver(job) {
            settler.hand_back().await?;
        } else {
            settler.schedule(Back::of(job, Duration::ZERO)).await?;
            settler.ack().await?;
        }
        Ok(Left::HandedBack)
    }

    fn outcome(&self, job: &Delivered, status: Status, span: Span) -> Outcome {
        Outcome {
            v: 1,
            id: job.id.to_string(),
            kind: job.kind.clone(),
            queue: job.queue.to_string(),
            status,
            attempt: job.attempt(),
            worker: self.worker.to_string(),
            // 53 bits, so that every JSON reader sees the same number.
            nonce: fastrand::u64(..) >> 11,
            started_at_ms: span.started_at_ms,
            finished_at_ms: now_ms(),
            result: None,
            result_ref: None,
            result_zlib: None,
            error: None,
        }
    }
}

/// The failure of a job whose result is too large to be recorded.
fn too_large(size: usize, limit: usize) -> JobFailure {
    JobFailure::new(
        FailureReason::InvalidResult,
        format!(
            "the result has {size} bytes; the server takes {limit} (max_payload), headers included, \
             and `payloads.max_size` does not let it into the object store"
        ),
    )
}

fn shorten(failure: &mut JobFailure) {
    failure.causes.truncate(MAX_ERROR.1);
    for text in std::iter::once(&mut failure.message).chain(&mut failure.causes) {
        if text.len() > MAX_ERROR.0 {
            let end = text.floor_char_boundary(MAX_ERROR.0);
            text.truncate(end);
            text.push_str(" [...]");
        }
    }
}

//! Moments after which a job is worth nothing: pure decisions.
//!
//! ```text
//!   not started by its expiry ───────────────────────────► CANCEL (expired)
//!   deadline passed before an attempt, or during one ────► DEAD (deadline)
//!   a retry would start after the deadline ──────────────► DEAD (deadline), with the error as its cause
//! ```
//!
//! A requeued job has neither: somebody wants it to run now.

use std::time::{Duration, SystemTime};

use super::JobError;
use super::delivery::Delivered;
use super::verdict::{AttemptEnd, Verdict};
use crate::wire::{Envelope, FailureReason, JobFailure};

/// The moments of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TimeLimits {
    expires_at: Option<SystemTime>,
    deadline: Option<SystemTime>,
}

impl TimeLimits {
    pub(super) fn of(job: &Delivered, envelope: &Envelope<'_>) -> Self {
        if job.is_requeued {
            return Self::default();
        }
        let has_started = job.retries_done > 0 || job.attempts_before > 0;
        Self {
            expires_at: envelope.expires_at.filter(|_| !has_started),
            deadline: envelope.deadline,
        }
    }

    /// Why no attempt is made any more.
    pub(super) fn refusal(&self, now: SystemTime) -> Option<Verdict> {
        if let Some(by) = late(self.expires_at, now) {
            let text = format!("not started in time: {by:?} after its expiry");
            let failure = JobFailure::new(FailureReason::Expired, text);
            return Some(Verdict::Cancel(failure));
        }
        let by = late(self.deadline, now)?;
        let text = format!("its deadline passed {by:?} before this attempt");
        Some(Verdict::Dead(JobFailure::new(
            FailureReason::Deadline,
            text,
        )))
    }

    /// The limit of an attempt that starts now; from here on the job does not expire any more.
    pub(super) fn starts(&mut self, usual: Duration, now: SystemTime) -> Duration {
        self.expires_at = None;
        match self.deadline {
            Some(deadline) => usual.min(deadline.duration_since(now).unwrap_or_default()),
            None => usual,
        }
    }

    /// How an attempt ended: one that was ended at the deadline is not tried again.
    pub(super) fn ended(&self, end: AttemptEnd, now: SystemTime) -> AttemptEnd {
        match end {
            AttemptEnd::Failed(error)
                if error.told().failure.reason == FailureReason::Timeout && self.is_over(now) =>
            {
                let text = "ended at its deadline, while it ran";
                AttemptEnd::Failed(JobError::of(JobFailure::new(FailureReason::Deadline, text)))
            }
            end => end,
        }
    }

    /// The error of an attempt, kept only if a verdict may need it.
    pub(super) fn keep(&self, end: &AttemptEnd) -> Option<JobFailure> {
        match end {
            AttemptEnd::Failed(error) if self.deadline.is_some() => {
                Some(error.told().failure.clone())
            }
            _ => None,
        }
    }

    /// No retry that would start after the deadline.
    pub(super) fn check(
        &self,
        verdict: Verdict,
        last: Option<JobFailure>,
        now: SystemTime,
    ) -> Verdict {
        let (Verdict::RetryHere(delay)
        | Verdict::RetryLater(delay)
        | Verdict::SnoozeHere(delay)
        | Verdict::SnoozeLater(delay)) = verdict
        else {
            return verdict;
        };
        if !now.checked_add(delay).is_none_or(|then| self.is_over(then)) {
            return verdict;
        }
        let text = format!("a retry in {delay:?} would start after its deadline");
        let mut failure = JobFailure::new(FailureReason::Deadline, text);
        if let Some(last) = last {
            failure.causes.push(last.message);
            failure.causes.extend(last.causes);
            failure.error_type = last.error_type;
        }
        Verdict::Dead(failure)
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// By how much `now` is after `moment`, if it is.
fn late(moment: Option<SystemTime>, now: SystemTime) -> Option<Duration> {
    now.duration_since(moment?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + S * seconds
    }

    fn deadline(seconds: u32) -> TimeLimits {
        TimeLimits {
            expires_at: None,
            deadline: Some(at(seconds)),
        }
    }

    fn failed(reason: FailureReason) -> AttemptEnd {
        AttemptEnd::Failed(JobError::of(JobFailure::new(reason, "no mail")))
    }

    #[test]
    fn a_job_without_moments_is_never_refused_or_cut() {
        let mut none = TimeLimits::default();
        assert!(none.refusal(at(9)).is_none());
        assert_eq!(none.starts(S, at(9)), S);
        assert!(none.keep(&failed(FailureReason::Error)).is_none());
        let verdict = none.check(Verdict::RetryLater(S), None, at(9));
        assert!(matches!(verdict, Verdict::RetryLater(_)));
    }

    #[test]
    fn an_expired_job_is_cancelled_unless_it_has_started_and_a_late_one_is_dead() {
        let mut expires = TimeLimits {
            expires_at: Some(at(5)),
            deadline: None,
        };
        assert!(expires.refusal(at(4)).is_none());
        let refusal = expires.refusal(at(5));
        assert!(matches!(refusal, Some(Verdict::Cancel(f)) if f.reason == FailureReason::Expired));
        expires.starts(S, at(4));
        assert!(expires.refusal(at(6)).is_none());
        let refusal = deadline(5).refusal(at(6));
        assert!(matches!(refusal, Some(Verdict::Dead(f)) if f.reason == FailureReason::Deadline));
    }

    #[test]
    fn an_attempt_is_cut_at_the_deadline_and_only_there() {
        let mut limits = deadline(10);
        assert_eq!(limits.starts(5 * S, at(8)), 2 * S);
        assert_eq!(limits.starts(S, at(8)), S);
        let cut = limits.ended(failed(FailureReason::Timeout), at(10));
        assert!(
            matches!(cut, AttemptEnd::Failed(e) if e.told().failure.reason == FailureReason::Deadline)
        );
        let usual = limits.ended(failed(FailureReason::Timeout), at(9));
        assert!(
            matches!(usual, AttemptEnd::Failed(e) if e.told().failure.reason == FailureReason::Timeout)
        );
        let own = limits.ended(failed(FailureReason::Error), at(11));
        assert!(
            matches!(own, AttemptEnd::Failed(e) if e.told().failure.reason == FailureReason::Error)
        );
    }

    #[test]
    fn a_retry_after_the_deadline_is_dead_with_its_error() {
        let limits = deadline(10);
        let last = limits.keep(&failed(FailureReason::Error));
        let verdict = limits.check(Verdict::RetryLater(2 * S), last.clone(), at(7));
        assert!(matches!(verdict, Verdict::RetryLater(_)));
        for verdict in [Verdict::RetryLater(3 * S), Verdict::RetryHere(3 * S)] {
            let Verdict::Dead(failure) = limits.check(verdict, last.clone(), at(7)) else {
                panic!("not dead");
            };
            assert_eq!(failure.reason, FailureReason::Deadline);
            assert_eq!(failure.causes, ["no mail"]);
        }
    }
}

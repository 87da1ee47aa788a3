//! What becomes of a job after an attempt: one pure decision.
//!
//! ```text
//!   result ─────────────────────────────────► COMPLETE
//!   error, panic, time limit ── retries left,
//!                            │  and one that is retried ► RETRY ┐ locally below a second,
//!                            └─ else ───────► DEAD              ├ else by a server schedule
//!   snooze ─────────────────────────────────► SNOOZE ───────────┘
//!   fatal error, bad payload, bad result ────► DEAD
//!   cancelled, discarded ────────────────────► CANCEL (no dead letter)
//!   lease lost ──────────────────────────────► NOTHING (the job is another worker's)
//!   worker stops ────────────────────────────► HAND BACK (while the lease is valid)
//! ```

use std::time::Duration;

use serde_json::value::RawValue;

use super::JobError;
use super::handler::Wish;
use crate::model::{ErrorWords, RetryPolicy};
use crate::wire::{FailureReason, JobFailure};

/// Server schedules fire up to 261 ms late, so shorter waits are kept under the lease.
const LOCAL_BELOW: Duration = Duration::from_secs(1);

/// Longest wait that a handler can ask for: one year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum AttemptEnd {
    /// The handler returned a result.
    Done(Box<RawValue>),
    /// It did not.
    Failed(JobError),
    /// The lease lapsed.
    LeaseLost,
    /// The worker stops and its time is up.
    Interrupted,
}

impl AttemptEnd {
    /// Why it failed, if it did.
    pub(super) fn failure(&self) -> Option<&JobFailure> {
        match self {
            Self::Failed(error) => Some(&error.told().failure),
            Self::Done(_) | Self::LeaseLost | Self::Interrupted => None,
        }
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Record the result, acknowledge.
    Complete(Box<RawValue>),
    /// Wait under the lease, run again.
    RetryHere(Duration),
    /// Schedule the retry at the server, acknowledge.
    RetryLater(Duration),
    /// Wait under the lease, run again; nothing is spent.
    SnoozeHere(Duration),
    /// Let the server bring it back; nothing is spent.
    SnoozeLater(Duration),
    /// Record the failure, write the dead letter, acknowledge.
    Dead(JobFailure),
    /// Record that the job is cancelled, acknowledge.
    Cancel(JobFailure),
    /// Give the job back to the queue.
    HandBack,
    /// Leave everything as it is.
    Nothing,
}

/// Decides; `chance` (0 to 1) is for the jitter.
pub(super) fn decide(
    end: AttemptEnd,
    policy: &RetryPolicy,
    retries_done: u32,
    chance: f64,
) -> Verdict {
    match end {
        AttemptEnd::Done(result) => Verdict::Complete(result),
        AttemptEnd::LeaseLost => Verdict::Nothing,
        AttemptEnd::Interrupted => Verdict::HandBack,
        AttemptEnd::Failed(error) => after(error, policy, retries_done, chance),
    }
}

fn after(error: JobError, policy: &RetryPolicy, retries_done: u32, chance: f64) -> Verdict {
    let told = error.told();
    let reason = told.failure.reason;
    if reason == FailureReason::Cancelled {
        return Verdict::Cancel(error.into_failure());
    }
    if let Wish::Snooze(delay) = told.wish {
        let delay = delay.min(LONGEST);
        return if delay < LOCAL_BELOW {
            Verdict::SnoozeHere(delay)
        } else {
            Verdict::SnoozeLater(delay)
        };
    }
    let words = ErrorWords {
        class: told.class.as_deref(),
        type_name: told.failure.error_type.as_deref(),
        reason: reason.as_str(),
    };
    let next = policy.next_delay(retries_done);
    let delay = match (next, told.wish) {
        _ if !is_retryable(reason) || !policy.allows(words) => None,
        (Some(_), Wish::RetryAfter(wished)) => Some(wished.min(LONGEST)),
        (next, _) => next.map(|delay| policy.jitter.spread(delay, chance)),
    };
    match delay {
        None => Verdict::Dead(error.into_failure()),
        Some(delay) if delay < LOCAL_BELOW => Verdict::RetryHere(delay),
        Some(delay) => Verdict::RetryLater(delay),
    }
}

fn is_retryable(reason: FailureReason) -> bool {
    matches!(
        reason,
        FailureReason::Error | FailureReason::Panic | FailureReason::Timeout
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: Duration = Duration::from_secs(1);

    fn error(reason: FailureReason) -> JobError {
        JobError::of(JobFailure::new(reason, "x"))
    }

    fn failed(reason: FailureReason) -> AttemptEnd {
        AttemptEnd::Failed(error(reason))
    }

    fn decided(end: AttemptEnd, policy: &RetryPolicy, done: u32) -> Verdict {
        decide(end, policy, done, 1.0)
    }

    #[test]
    fn errors_are_retried_until_the_policy_is_used_up() {
        let policy = RetryPolicy::table([Duration::from_millis(200), 2 * S]);
        let verdict = |done| decided(failed(FailureReason::Error), &policy, done);
        assert!(matches!(verdict(0), Verdict::RetryHere(d) if d.as_millis() == 200));
        assert!(matches!(verdict(1), Verdict::RetryLater(d) if d.as_secs() == 2));
        assert!(matches!(verdict(2), Verdict::Dead(_)));
    }

    #[test]
    fn what_cannot_get_better_is_not_retried() {
        let policy = RetryPolicy::fixed(9, Duration::ZERO);
        for reason in [
            FailureReason::Fatal,
            FailureReason::InvalidPayload,
            FailureReason::InvalidResult,
            FailureReason::UnknownKind,
        ] {
            let verdict = decided(failed(reason), &policy, 0);
            assert!(matches!(verdict, Verdict::Dead(_)), "{reason}");
        }
        for reason in [FailureReason::Panic, FailureReason::Timeout] {
            let verdict = decided(failed(reason), &policy, 0);
            assert!(matches!(verdict, Verdict::RetryHere(_)), "{reason}");
        }
    }

    #[test]
    fn a_lost_lease_is_never_settled() {
        let policy = RetryPolicy::default();
        let verdict = decided(AttemptEnd::LeaseLost, &policy, 0);
        assert!(matches!(verdict, Verdict::Nothing));
        let verdict = decided(AttemptEnd::Interrupted, &policy, 0);
        assert!(matches!(verdict, Verdict::HandBack));
    }

    #[test]
    fn the_handler_may_name_the_wait_but_not_add_a_retry() {
        let policy = RetryPolicy::fixed(1, S);
        let end = || AttemptEnd::Failed(error(FailureReason::Error).retry_after(7 * S));
        assert!(matches!(decided(end(), &policy, 0), Verdict::RetryLater(d) if d == 7 * S));
        assert!(matches!(decided(end(), &policy, 1), Verdict::Dead(_)));
        let fatal = JobError::fatal(JobError::message("no")).retry_after(S);
        let verdict = decided(AttemptEnd::Failed(fatal), &policy, 0);
        assert!(matches!(verdict, Verdict::Dead(_)));
    }

    #[test]
    fn a_discarded_job_is_cancelled_and_an_ignored_error_is_final() {
        let policy = RetryPolicy::fixed(9, S).ignore_on(["http_4xx"]);
        let verdict = decided(AttemptEnd::Failed(JobError::discard("old")), &policy, 0);
        assert!(matches!(verdict, Verdict::Cancel(failure) if failure.message == "old"));
        let ignored = JobError::message("404").class("http_4xx").retry_after(S);
        let verdict = decided(AttemptEnd::Failed(ignored), &policy, 0);
        assert!(matches!(verdict, Verdict::Dead(failure) if failure.message == "404"));
    }

    proptest! {
        #[test]
        fn a_snooze_spends_nothing_whatever_the_policy(ms in 0_u64..1 << 60, retries in 0_u32..3, done in 0_u32..9) {
            let policy = RetryPolicy::fixed(retries, S).retry_on(["nothing"]);
            let end = AttemptEnd::Failed(JobError::snooze(Duration::from_millis(ms)));
            match decided(end, &policy, done) {
                Verdict::SnoozeHere(delay) => prop_assert!(delay < LOCAL_BELOW && !delay.is_zero()),
                Verdict::SnoozeLater(delay) => prop_assert!((LOCAL_BELOW..=LONGEST).contains(&delay)),
                other => prop_assert!(false, "{other:?}"),
            }
        }

        #[test]
        fn retries_end_and_their_waits_are_bounded(
            retries in 0_u32..20,
            base_ms in 0_u64..1 << 50,
            done in 0_u32..40,
            chance in 0.0_f64..1.0,
            full in any::<bool>(),
        ) {
            let jitter = if full { crate::model::Jitter::Full } else { crate::model::Jitter::Equal };
            let policy = RetryPolicy::exponential(retries, Duration::from_millis(base_ms)).jitter(jitter);
            match decide(failed(FailureReason::Error), &policy, done, chance) {
                Verdict::RetryHere(delay) => prop_assert!(done < retries && delay < LOCAL_BELOW),
                Verdict::RetryLater(delay) => prop_assert!(done < retries && delay <= LONGEST),
                Verdict::Dead(_) => prop_assert!(done >= retries),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}

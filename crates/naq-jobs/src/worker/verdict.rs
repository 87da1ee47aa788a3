//! What becomes of a job after an attempt: one pure decision.
//!
//! ```text
//!   result ─────────────────────────────────► COMPLETE
//!   error, panic, time limit ── retries left ► RETRY (locally below a second, else by a server schedule)
//!                            └─ none left ───► DEAD
//!   fatal error, bad payload, bad result ────► DEAD
//!   cancelled ───────────────────────────────► CANCEL (no dead letter)
//!   lease lost ──────────────────────────────► NOTHING (the job is another worker's)
//!   worker stops ────────────────────────────► HAND BACK (while the lease is valid)
//! ```

use std::time::Duration;

use serde_json::value::RawValue;

use crate::model::RetryPolicy;
use crate::wire::{FailureReason, JobFailure};

/// Server schedules fire up to 261 ms late, so shorter waits are kept under the lease.
const LOCAL_BELOW: Duration = Duration::from_secs(1);

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum AttemptEnd {
    /// The handler returned a result.
    Done(Box<RawValue>),
    /// It did not.
    Failed(JobFailure),
    /// The lease lapsed.
    LeaseLost,
    /// The worker stops and its time is up.
    Interrupted,
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
    /// Record the failure, write the dead letter, acknowledge.
    Dead(JobFailure),
    /// Record that the job is cancelled, acknowledge.
    Cancel(JobFailure),
    /// Give the job back to the queue.
    HandBack,
    /// Leave everything as it is.
    Nothing,
}

/// Decides.
pub(super) fn decide(end: AttemptEnd, policy: &RetryPolicy, retries_done: u32) -> Verdict {
    match end {
        AttemptEnd::Done(result) => Verdict::Complete(result),
        AttemptEnd::LeaseLost => Verdict::Nothing,
        AttemptEnd::Interrupted => Verdict::HandBack,
        AttemptEnd::Failed(failure) if failure.reason == FailureReason::Cancelled => {
            Verdict::Cancel(failure)
        }
        AttemptEnd::Failed(failure) => match policy.next_delay(retries_done) {
            Some(delay) if is_retryable(failure.reason) => {
                if delay < LOCAL_BELOW {
                    Verdict::RetryHere(delay)
                } else {
                    Verdict::RetryLater(delay)
                }
            }
            _ => Verdict::Dead(failure),
        },
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

    fn failed(reason: FailureReason) -> AttemptEnd {
        AttemptEnd::Failed(JobFailure::new(reason, "x"))
    }

    #[test]
    fn errors_are_retried_until_the_policy_is_used_up() {
        let policy = RetryPolicy::table([Duration::from_millis(200), Duration::from_secs(2)]);
        let verdict = |done| decide(failed(FailureReason::Error), &policy, done);
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
            assert!(
                matches!(decide(failed(reason), &policy, 0), Verdict::Dead(_)),
                "{reason}"
            );
        }
        for reason in [FailureReason::Panic, FailureReason::Timeout] {
            assert!(matches!(
                decide(failed(reason), &policy, 0),
                Verdict::RetryHere(_)
            ));
        }
    }

    #[test]
    fn a_lost_lease_is_never_settled() {
        let policy = RetryPolicy::default();
        assert!(matches!(
            decide(AttemptEnd::LeaseLost, &policy, 0),
            Verdict::Nothing
        ));
        assert!(matches!(
            decide(AttemptEnd::Interrupted, &policy, 0),
            Verdict::HandBack
        ));
    }
}

//! What is done about a key that is taken: one pure decision.

use std::time::SystemTime;

use crate::model::{JobId, ObjectRef, Policy};
use crate::wire::Place;

/// The newest message of a key. For [`Policy::Throttle`]: the marker of its window, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: JobId,
    pub(super) place: Place,
    pub(super) sequence: u64,
    /// Whether a worker has got it. Known only where it matters.
    pub(super) is_started: bool,
    /// When the server puts it into its queue, if it has not yet.
    pub(super) due: Option<SystemTime>,
    /// Where its payload is, if that is too large for a message.
    pub(super) payload_ref: Option<ObjectRef>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Leave it, and answer with its id.
    Leave,
    /// Put the new payload in its place, under its id.
    Replace,
    /// Store the new job beside it.
    Beside,
}

/// Decides.
pub(super) fn decide(policy: Policy, found: &Found) -> Step {
    match (policy, found.place) {
        (Policy::UntilDone | Policy::Within(_), _) | (_, Place::Window) => Step::Leave,
        (Policy::Throttle(_), _) => Step::Beside,
        (Policy::Replace | Policy::Debounce(_), Place::Later) => Step::Replace,
        (Policy::Replace, _) if found.is_started => Step::Leave,
        (Policy::Debounce(_), _) if found.is_started => Step::Beside,
        (Policy::Replace | Policy::Debounce(_), _) => Step::Replace,
    }
}

/// Whether the decision depends on whether a worker has got it.
pub(super) fn asks_for_start(policy: Policy) -> bool {
    matches!(policy, Policy::Replace | Policy::Debounce(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const S: Duration = Duration::from_secs(1);

    fn step(policy: Policy, place: Place, is_started: bool) -> Step {
        let found = Found {
            id: JobId::new("a").unwrap(),
            place,
            sequence: 7,
            is_started,
            due: None,
            payload_ref: None,
        };
        decide(policy, &found)
    }

    #[test]
    fn a_marker_holds_its_key_whatever_the_policy() {
        for policy in [
            Policy::UntilDone,
            Policy::Within(S),
            Policy::Replace,
            Policy::Debounce(S),
            Policy::Throttle(S),
        ] {
            assert_eq!(step(policy, Place::Window, false), Step::Leave);
        }
    }

    #[test]
    fn what_runs_is_never_replaced() {
        assert_eq!(step(Policy::Replace, Place::Normal, true), Step::Leave);
        assert_eq!(step(Policy::Debounce(S), Place::Normal, true), Step::Beside);
        for policy in [Policy::Replace, Policy::Debounce(S)] {
            assert_eq!(step(policy, Place::Normal, false), Step::Replace);
            assert_eq!(step(policy, Place::Later, false), Step::Replace);
        }
    }

    #[test]
    fn until_done_leaves_all_and_throttle_minds_only_its_window() {
        for place in [Place::Normal, Place::Later] {
            assert_eq!(step(Policy::UntilDone, place, true), Step::Leave);
            assert_eq!(step(Policy::Within(S), place, false), Step::Leave);
            assert_eq!(step(Policy::Throttle(S), place, true), Step::Beside);
        }
    }
}

//! Which of the things that are stored of a job says where it is.
//!
//! | outcome | messages | it is |
//! |---|---|---|
//! | any | one with the outcome's sequence as its fence | where that message is: it was requeued |
//! | there | none, or others | ended; its acknowledgement is under way |
//! | none | a schedule | due later; the acknowledgement of its last attempt is under way |
//! | none | parked | parked |
//! | none | on the queue | waiting or in hand |
//! | none | none | dead, if there is a letter; else unknown |

use super::sight::{Found, Sight};
use crate::wire::{Delivery, Stage};

/// Where a job is.
#[derive(Debug)]
pub(crate) enum Whereabouts<'a> {
    /// On its way: this message says how far.
    Message(&'a Found),
    /// It has ended, with an outcome or a dead letter or both.
    Ended,
    /// Nothing is stored of it.
    Nowhere,
}

/// Decides by the table above.
pub(crate) fn whereabouts(sight: &Sight) -> Whereabouts<'_> {
    let fence = |found: &Found| Delivery::read(found.stored.headers.as_ref()).fence;
    let outcome = sight.outcome.as_ref().map(|(_, sequence)| *sequence);
    let runs_again = |found: &&Found| outcome.is_none_or(|sequence| fence(found) == sequence);
    let message = sight
        .messages
        .iter()
        .filter(runs_again)
        .min_by_key(|found| match found.spot.stage {
            Stage::Later => 0,
            Stage::Parked(_) => 1,
            Stage::Queue(_) => 2,
        });
    match message {
        Some(found) => Whereabouts::Message(found),
        None if outcome.is_some() || sight.letter.is_some() => Whereabouts::Ended,
        None => Whereabouts::Nowhere,
    }
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;

    use super::*;
    use crate::server::Stored;
    use crate::wire::{Names, Spot, headers};

    fn found(subject: &str, fence: Option<u64>) -> Found {
        let mut fields = HeaderMap::new();
        if let Some(fence) = fence {
            fields.insert(headers::FENCE, fence.to_string());
        }
        Found {
            spot: Spot::read(&Names::new("n"), subject).unwrap(),
            stored: Stored {
                subject: subject.to_owned(),
                sequence: 1,
                headers: Some(fields),
                payload: bytes::Bytes::new(),
                time: String::new(),
            },
        }
    }

    fn outcome(sequence: u64) -> (crate::Outcome, u64) {
        let outcome = serde_json::json!({
            "v": 1, "id": "j", "queue": "q", "status": "failed", "attempt": 1, "worker": "w", "nonce": 1,
            "started_at_ms": 0, "finished_at_ms": 1,
        });
        (serde_json::from_value(outcome).unwrap(), sequence)
    }

    fn place(sight: &Sight) -> String {
        match whereabouts(sight) {
            Whereabouts::Message(found) => found.stored.subject.clone(),
            Whereabouts::Ended => "ended".to_owned(),
            Whereabouts::Nowhere => "nowhere".to_owned(),
        }
    }

    #[test]
    fn the_table_holds() {
        let (queue, later, parked) = ("n.queue.q.j", "n.schedule.q.j", "n.parked.q.k.j");
        let sight = |messages: &[(&str, Option<u64>)], ended: Option<u64>| Sight {
            messages: messages.iter().map(|(s, fence)| found(s, *fence)).collect(),
            outcome: ended.map(outcome),
            letter: None,
        };
        for (messages, ended, expected) in [
            (&[][..], None, "nowhere"),
            (&[], Some(7), "ended"),
            (&[(queue, None)], None, queue),
            (&[(queue, None)], Some(7), "ended"),
            (&[(queue, Some(7))], Some(7), queue),
            (&[(queue, Some(6))], Some(7), "ended"),
            (&[(queue, None), (later, None)], None, later),
            (&[(queue, None), (parked, None)], None, parked),
            (&[(later, Some(7)), (queue, Some(7))], Some(7), later),
        ] {
            assert_eq!(
                place(&sight(messages, ended)),
                expected,
                "{messages:?} {ended:?}"
            );
        }
    }
}

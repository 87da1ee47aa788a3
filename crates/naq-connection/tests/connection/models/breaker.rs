//! Threads that find a breaker open and due, or half open, at the same moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::{check_dfs, check_random, thread};

use super::RANDOM;

#[expect(
    dead_code,
    unreachable_pub,
    reason = "a source of the crate, in another place"
)]
#[path = "../../../src/breaker/machine.rs"]
mod machine;
#[path = "../../../src/breaker/word.rs"]
mod word;

use machine::{CircuitState, Machine, Rules, Stage, Ticket};
use word::Word;

const RULES: Rules = Rules {
    threshold: 2,
    recovery: 10,
};

/// A moment at which an open breaker is due.
const NOW: u64 = 100;

#[derive(Clone, Copy)]
enum Ending {
    Succeeds,
    Fails,
    ProvesNothing,
}

struct Breaker {
    word: Word,
    /// Calls that were let in while it was not closed.
    probing: AtomicUsize,
    probes: AtomicUsize,
}

impl Breaker {
    fn due() -> Arc<Self> {
        let open = Machine {
            generation: 1,
            stage: Stage::Open { due: NOW },
        };
        Arc::new(Self {
            word: Word::new(open),
            probing: AtomicUsize::new(0),
            probes: AtomicUsize::new(0),
        })
    }

    /// As a call does it. The ticket, and whether it is the probe's.
    fn enter(&self) -> Option<(Ticket, bool)> {
        if let Some(ticket) = self.word.read().admit_closed() {
            return Some((ticket, false));
        }
        let (_, after, ticket) = self.word.step(|machine| machine.admit(NOW));
        let ticket = ticket.ok()?;
        Some((ticket, after.state() != CircuitState::Closed))
    }

    fn call(&self, ending: Ending) {
        let Some((ticket, is_probe)) = self.enter() else {
            return;
        };
        if is_probe {
            let others = self.probing.fetch_add(1, Ordering::SeqCst);
            assert_eq!(others, 0, "two probes at once");
            self.probes.fetch_add(1, Ordering::SeqCst);
        }
        thread::yield_now();
        if is_probe {
            self.probing.fetch_sub(1, Ordering::SeqCst);
        }
        self.end(ticket, ending);
    }

    fn end(&self, ticket: Ticket, ending: Ending) {
        self.word.step(|machine| {
            let after = match ending {
                Ending::Succeeds => machine.succeeded(ticket),
                Ending::Fails => machine.failed(ticket, RULES, NOW),
                Ending::ProvesNothing => machine.abandoned(ticket),
            };
            (after, ())
        });
    }
}

/// The breaker after these calls have run at the same time.
fn after(endings: &[Ending]) -> Arc<Breaker> {
    let breaker = Breaker::due();
    let calls: Vec<_> = endings
        .iter()
        .map(|ending| {
            let (breaker, ending) = (Arc::clone(&breaker), *ending);
            thread::spawn(move || breaker.call(ending))
        })
        .collect();
    calls.into_iter().for_each(|call| call.join().unwrap());
    breaker
}

#[test]
fn in_every_order_one_of_two_calls_is_the_probe_and_decides() {
    let both = |ending| move || drop(after(&[ending, ending]));
    for ending in [Ending::Succeeds, Ending::Fails, Ending::ProvesNothing] {
        check_dfs(both(ending), None);
    }
    let failing = || {
        let breaker = after(&[Ending::Fails, Ending::Fails]);
        // It opened for another recovery time, so the second call was refused.
        assert_eq!(breaker.probes.load(Ordering::SeqCst), 1);
        assert_eq!(breaker.word.read().state(), CircuitState::Open);
    };
    check_dfs(failing, None);
}

#[test]
fn a_probe_that_proves_nothing_leaves_its_place_to_the_next() {
    let abandoned = || {
        let breaker = after(&[Ending::ProvesNothing, Ending::ProvesNothing]);
        assert_eq!(breaker.word.read().stage, Stage::Free);
        assert!(breaker.enter().is_some());
    };
    check_dfs(abandoned, None);
}

#[test]
fn many_calls_of_every_ending_never_probe_at_once() {
    let endings = [
        Ending::ProvesNothing,
        Ending::Fails,
        Ending::Succeeds,
        Ending::ProvesNothing,
    ];
    check_random(move || drop(after(&endings)), RANDOM);
}

#[test]
fn in_every_order_a_late_result_changes_nothing() {
    let late = || {
        let breaker = Breaker::due();
        let (ticket, is_probe) = breaker.enter().unwrap();
        assert!(is_probe);
        let other = Arc::clone(&breaker);
        // The probe is dropped; what it would have said comes all the same, and too late.
        breaker.end(ticket, Ending::ProvesNothing);
        let liar = thread::spawn(move || other.end(ticket, Ending::Succeeds));
        breaker.call(Ending::Fails);
        liar.join().unwrap();
        assert_eq!(breaker.word.read().state(), CircuitState::Open);
    };
    check_dfs(late, None);
}

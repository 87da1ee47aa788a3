//! The machine in one word.
//!
//! ```text
//!  63 ........ 40  39 38  37 ................................. 0
//!   generation     stage   failures, or the due time in ms (8.7 years)
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use super::machine::{Machine, Stage};

const STAGE_BITS: u32 = 2;
const DATA_BITS: u32 = 38;
const DATA: u64 = (1 << DATA_BITS) - 1;

/// A machine that threads share; every step is one compare-and-swap.
#[derive(Debug)]
pub(super) struct Word(AtomicU64);

impl Word {
    pub(super) fn new(machine: Machine) -> Self {
        Self(AtomicU64::new(pack(machine)))
    }

    #[inline]
    pub(super) fn read(&self) -> Machine {
        unpack(self.0.load(Ordering::Acquire))
    }

    /// Makes a step and returns what it decided, with the machine before and after it.
    pub(super) fn step<R>(
        &self,
        decide: impl Fn(Machine) -> (Machine, R),
    ) -> (Machine, Machine, R) {
        let mut packed = self.0.load(Ordering::Acquire);
        loop {
            let before = unpack(packed);
            let (after, decision) = decide(before);
            if after == before {
                return (before, after, decision);
            }
            let swap = self.0.compare_exchange_weak(
                packed,
                pack(after),
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match swap {
                Ok(_) => return (before, after, decision),
                Err(current) => packed = current,
            }
        }
    }
}

fn pack(machine: Machine) -> u64 {
    let (stage, data) = match machine.stage {
        Stage::Closed { failures } => (0, u64::from(failures)),
        Stage::Open { due } => (1, due.min(DATA)),
        Stage::Probing => (2, 0),
        Stage::Free => (3, 0),
    };
    let generation = u64::from(machine.generation) << (STAGE_BITS + DATA_BITS);
    generation | stage << DATA_BITS | data
}

#[inline]
fn unpack(word: u64) -> Machine {
    let data = word & DATA;
    let stage = match (word >> DATA_BITS) & ((1 << STAGE_BITS) - 1) {
        // Only what fitted was packed.
        0 => Stage::Closed {
            failures: u32::try_from(data).unwrap_or(u32::MAX),
        },
        1 => Stage::Open { due: data },
        2 => Stage::Probing,
        _ => Stage::Free,
    };
    let generation = word >> (STAGE_BITS + DATA_BITS);
    Machine {
        generation: u32::try_from(generation).unwrap_or(Machine::LAST_GENERATION),
        stage,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::breaker::machine::Rules;

    fn any_stage() -> impl Strategy<Value = Stage> {
        prop_oneof![
            any::<u32>().prop_map(|failures| Stage::Closed { failures }),
            (0..=DATA).prop_map(|due| Stage::Open { due }),
            Just(Stage::Probing),
            Just(Stage::Free),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            generation in 0..=Machine::LAST_GENERATION,
            stage in any_stage(),
        ) {
            let machine = Machine { generation, stage };
            prop_assert_eq!(unpack(pack(machine)), machine);
        }
    }

    #[test]
    fn no_step_of_threads_that_race_is_lost() {
        const MANY: u32 = 100_000;
        let word = Word::new(Machine::NEW);
        let rules = Rules {
            threshold: u32::MAX,
            recovery: 0,
        };
        let fail = || {
            for _ in 0..MANY {
                let ticket = word.read().admit_closed().unwrap();
                word.step(|machine| (machine.failed(ticket, rules, 0), ()));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(fail);
            }
        });
        let failures = 4 * MANY;
        assert_eq!(word.read().stage, Stage::Closed { failures });
    }

    #[test]
    fn a_time_that_does_not_fit_is_the_latest_that_does() {
        let machine = Machine {
            generation: Machine::LAST_GENERATION,
            stage: Stage::Open { due: u64::MAX },
        };
        let due = Stage::Open { due: DATA };
        assert_eq!(unpack(pack(machine)).stage, due);
        assert_eq!(unpack(pack(machine)).generation, machine.generation);
    }
}

//! The machine in one word.
//!
//! ```text
//!  63 ........ 40  39 38  37 ................................. 0
//!   generation     stage   failures, or the due time in ms (8.7 years)
//! ```

use std::sync::atomic::Ordering;

use super::machine::{Machine, Stage};
use crate::sync::AtomicU64;

const STAGE_BITS: u32 = 2;
const DATA_BITS: u32 = 38;
pub(super) const DATA: u64 = (1 << DATA_BITS) - 1;

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

pub(super) fn pack(machine: Machine) -> u64 {
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
pub(super) fn unpack(word: u64) -> Machine {
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

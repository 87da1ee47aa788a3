//! Who may ask the server for how many jobs: pure bookkeeping.
//!
//! A worker has `capacity` slots for all its queues. A slot is free, *asked for* (a pull request for it is out) or
//! *running*. The sum never exceeds the capacity, so nothing is fetched that cannot start at once, and each queue
//! keeps one slot (asked for or running), so a busy queue cannot shut out a quiet one. Nor can a quiet one keep slots
//! from a busy one: only a queue whose last request brought a job asks for more than one.
//!
//! ```text
//!            grant                 arrived
//!   FREE ───────────► ASKED FOR ───────────► RUNNING
//!    ▲                    │                     │
//!    └────── returned ────┴────── finished ─────┘
//! ```
//!
//! A queue has a *lane* for each of its priorities. Most have the normal one only; what follows is for the others.
//!
//! * A lane is *warm* while it has or may have jobs. A warm one asks for what there is at once (no waiting), so the answer is
//!   jobs, or that there are none: then it is *cold*.
//! * Strict: a lane asks only while the higher ones are cold; and those look again after it has.
//!   Weighted: of the warm lanes that one asks that is most behind its share.
//! * When all are cold, each has one request open and waits. These share one slot, so when the first job comes and no slot is
//!   left, the other requests are withdrawn.

mod ledger;
mod queue;
mod share;
#[cfg(test)]
mod simulation;

pub(super) use ledger::Slots;
pub(super) use queue::{Ask, LEVELS, QueueTerms};
pub(super) use share::WEIGHTS;

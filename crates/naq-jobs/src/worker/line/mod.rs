//! Jobs of this worker that wait for a place of their queue, under their lease and without a slot.
//!
//! ```text
//!   delivered ── a place is free ──────────────► RUNS ── ends ──► one is called, here and in the other workers
//!       │ none, or others wait here                ▲
//!       │                                          │ a place and a slot are free
//!       │             next in the order            │
//!       └──► IN LINE ────────────────────────► CALLED ── one that comes first stands here by now: it is called instead
//!               ▲                                  │
//!               └── no place, or no slot ──────────┘
//! ```
//!
//! * Who is called asks the server, so nobody is called without need: at the end of a job one is, and if nobody knows what is
//!   free (settings, a new connection, a third of a lease) one after the other as long as each gets a place.
//! * Who has no slot is called again when one is free.
//! * Strict: one at a time is called. A call that comes meanwhile is kept: for that one, should it find no place, or for the next.
//!
//! Their number is bounded: the server hands out only some more jobs of each priority than the limit of the queue.

mod elsewhere;
mod enter;
mod lines;
mod order;

#[cfg(test)]
mod tests;

pub(super) use elsewhere::Elsewhere;
pub(super) use lines::Lines;

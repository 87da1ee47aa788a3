//! Jobs that may not run now: messages that no consumer reads, and that the server brings back by itself.
//!
//! `docs/design/0006-control.md` says who parks and who releases.

mod after;
mod release;
mod why;

pub(crate) use after::{AWAITS, has_outcome, is_over, release_after};
pub(crate) use release::{release, release_subject};
pub(crate) use why::Why;

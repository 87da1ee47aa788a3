//! Cancelling a job from any process: its outcome first, then its messages, then the worker that runs it.
//!
//! `docs/design/0007-handlers.md` has the failure table.

mod holder;
mod places;
mod report;
mod steps;
mod telling;

pub use report::{CancelReport, CancelledFrom};
pub(crate) use steps::{cancel, cancel_node};
pub(crate) use telling::tell_cancelled;

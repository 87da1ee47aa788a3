//! What is set at run time, and what follows from it for the slots of this worker.
//!
//! A setting that is read at a new connection is taken as it is; a push only if it is newer than what is known, since it
//! may be late or doubled.

mod board;
mod hints;
mod steer;

pub(super) use board::Source;
pub(super) use steer::Steering;

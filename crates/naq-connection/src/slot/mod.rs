//! One profile's place for its shared client.
//!
//! `machine` decides (pure, no I/O, no clock); `place` does what it decided: starts the dial, wakes
//! those who wait, publishes the state. Neither knows how a connection is made (that is `dial`).

mod machine;
mod place;

pub(crate) use place::Slot;

//! The place of one profile and lane for its client, and for those that it had before.
//!
//! `machine` decides (pure, no I/O, no clock) with one `life` per client, and gives `answer`s; `place` is what those see
//! who want the client, `dialling` starts the dials that the machine asks for, `news` takes what
//! the clients tell, `replace` puts another client in the place of one that works, and `tend`
//! looks after one client until it ends. None of them knows how a connection is made (that is
//! `dial`).

mod answer;
mod dialling;
mod life;
mod machine;
mod news;
mod place;
mod replace;
mod tend;
#[cfg(test)]
mod walk;

pub(crate) use place::{Context, Slot};

//! What happens to the connections of a service, told to those who listen.
//!
//! `event` is what is told, `listen` how: a bounded broadcast, in which a slow listener misses
//! events, is told how many, and never holds a connection up.

mod event;
mod listen;

pub use event::{Event, EventKind, ReplaceReason};
pub use listen::{Events, Missed};

pub(crate) use listen::Announcer;

//! Connections of one owner, each with a client of its own.
//!
//! `owned` is the connection, `pool` keeps a few of them for many users, `stay` is the presence of one from
//! before its dial to its end, `janitor` ends it in the background when its owner does not. Most work
//! needs none of this: a lease on the shared connection is faster. They are for what a connection can
//! have only one of, and for work that must not share a queue.

mod janitor;
mod owned;
mod pool;
mod stay;

pub use owned::Exclusive;
pub use pool::{ExclusivePool, Pooled};
pub use stay::CloseReport;

pub(crate) use janitor::Janitor;
pub(crate) use stay::{Source, Stay};

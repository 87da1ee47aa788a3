//! What every lease touches, made so that threads do not wait for one another.
//!
//! `gauge` counts the leases of a service and closes its door, `spread` is a reference count with a
//! place per thread.

mod gauge;
mod spread;

pub(crate) use gauge::{Gauge, Token};
pub(crate) use spread::{Share, Spread};

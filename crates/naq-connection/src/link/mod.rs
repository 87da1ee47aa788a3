//! One client of the NATS library together with what we know of it.
//!
//! `client` is the client and its state, `feed` the part that the client's own callbacks may hold,
//! `budget` the bytes that may wait to be sent, `buckets` the handles of buckets, `probe` the proof
//! that the server has read everything, `held` what its leases share, `vigil` when to doubt that the
//! server is there and `stall` what is done about it, `retire` its way to the end, `close` the
//! orderly end. A link does not know what comes after it.

mod buckets;
mod budget;
mod client;
mod close;
mod feed;
mod held;
mod probe;
mod retire;
mod stall;
mod vigil;

pub(crate) use buckets::Buckets;
pub(crate) use budget::size;
pub(crate) use client::{Link, lost};
pub(crate) use feed::{EndGuard, Feed, Report, Signal};
pub(crate) use held::Held;
pub(crate) use probe::{Patience, SILENCE};

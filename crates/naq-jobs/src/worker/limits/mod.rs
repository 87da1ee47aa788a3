//! Limits that hold over all workers: places of a key, and rates.

mod bucket;
mod clock;
mod gcra;
mod places;

pub(super) use bucket::Buckets;
pub(super) use places::{Holder, Place, Pool};

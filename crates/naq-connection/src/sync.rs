//! The primitives under what threads share without a lock.
//!
//! The model checks (`tests/connection/models`) compile `sharing/gauge.rs` and `breaker/word.rs` with
//! others in their place, which try every order of steps.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

pub(crate) use tokio::sync::Notify;

/// Where leases are counted; fewer in the model checks, which would not end with more.
pub(crate) const PLACES: usize = 8;

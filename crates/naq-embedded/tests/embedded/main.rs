//! `naq-embedded` against the real nats-server. A missing server is a failure, never a skip.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]

mod cluster;
mod lookup;
mod parent;
mod raw;
mod start;
mod supervision;
mod wait;

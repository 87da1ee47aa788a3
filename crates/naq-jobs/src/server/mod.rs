//! What is kept on the server: the streams and consumers, requests to its API, and reading stored messages.

mod api;
mod batch;
mod clock;
mod consumer;
mod definition;
mod feature;
mod link;
mod persist;
mod stored;
mod stream;

pub(crate) use api::{ApiError, call, refused};
pub(crate) use batch::{BatchEnd, MAX_BATCH, Write, store_batch};
pub(crate) use clock::{now_ms, rfc3339, server_now, unix_ms};
pub(crate) use consumer::{ensure_consumer, ensure_fires_consumer, read_lease_time};
pub use feature::MINIMUM_SERVER;
pub(crate) use link::Link;
pub(crate) use persist::persist;
pub(crate) use stored::{Stored, count, last_at_leader, last_of, page};
pub(crate) use stream::{
    delete_sequence, ensure_event_streams, ensure_streams, purge, repair_streams,
};

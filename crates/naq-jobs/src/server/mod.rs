//! What is kept on the server: the streams and consumers, requests to its API, and reading stored messages.

mod api;
mod batch;
mod clock;
mod consumer;
mod definition;
mod delivered;
mod feature;
mod fence;
mod leader;
mod link;
mod persist;
mod stored;
mod stream;

pub(crate) use batch::{BatchEnd, MAX_BATCH, Write, store_batch};
pub(crate) use clock::{now_ms, rfc3339, server_now};
pub(crate) use consumer::{ensure_consumer, ensure_fires_consumer, read_lease_time};
pub(crate) use delivered::delivered_up_to;
pub use feature::MINIMUM_SERVER;
pub(crate) use fence::wrong_sequence;
pub(crate) use leader::{last_at_leader, next_at_leader};
pub(crate) use link::Link;
pub(crate) use persist::persist;
pub(crate) use stored::{Stored, count, last_of, page};
pub(crate) use stream::{
    delete_sequence, ensure_payloads, ensure_streams, exists, purge, repair_streams,
};

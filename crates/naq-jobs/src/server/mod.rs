//! What is kept on the server: the streams and consumers, requests to its API, and reading stored messages.

mod api;
mod batch;
mod clock;
mod consumer;
mod consumer_config;
mod consumer_state;
mod definition;
mod delivered;
mod ear;
mod feature;
mod fence;
mod filters;
mod link;
mod pages;
mod persist;
mod reader;
mod removal;
mod restock;
mod shared_consumer;
mod stored;
mod stream;
mod stream_changes;
mod subjects;

pub(crate) use api::{ApiError, call, refused};
pub(crate) use batch::{BatchEnd, MAX_BATCH, Write, store_batch, store_batch_at};
pub(crate) use clock::{last_sequence, now_ms, read_rfc3339, rfc3339, server_now, unix_ms};
pub(crate) use consumer::{
    Found, Terms, ensure_consumer, find_consumer, has_consumer, passed_by, pause_consumer,
    restock_level,
};
pub(crate) use consumer_state::{ConsumerState, consumer_state, consumer_states};
pub(crate) use delivered::delivered_up_to;
pub(crate) use ear::{ensure_ear, remove_ear};
pub use feature::MINIMUM_SERVER;
pub(crate) use fence::{expect_newest, expect_newest_of, wrong_sequence};
pub(crate) use link::Link;
pub(crate) use pages::{count, count_from, first_since, last_of_each, oldest, page};
pub(crate) use persist::{hurried, persist, prepare};
pub(crate) use reader::{create_reader, leave_reader};
pub(crate) use removal::{delete_older, delete_sequence, purge, purge_before};
pub(crate) use shared_consumer::{ensure_fires_consumer, ensure_flows_consumer};
pub(crate) use stored::{Stored, first_from, last_at_leader, last_of, next_at_leader};
pub(crate) use stream::{
    ensure_event_streams, ensure_payloads, ensure_streams, exists, is_replicated, repair_streams,
};
pub(crate) use subjects::{subjects_at_leader, subjects_page};

//! Payloads and results that are too large for a message: kept in an object store bucket of the server (ADR-20).
//!
//! The object is stored before the message that refers to it, and removed after the outcome is written, so a crash in
//! between can leave one that nobody needs, and never a job without its payload.

mod fetch;
mod object;
mod offload;

pub(crate) use fetch::{Unfetched, fetch, fetch_result};
pub(crate) use object::remove;
pub(crate) use offload::{is_large, offload_payload, offload_result, payload_of, release};

//! Payloads and results that do not go into a message as they are: compressed, or too large and kept in an object store
//! bucket of the server (ADR-20).
//!
//! The object is stored before the message that refers to it, and removed after the outcome is written, so a crash in
//! between can leave one that nobody needs, and never a job without its payload.

mod fetch;
mod object;
mod offload;
mod zlib;

pub(crate) use fetch::{Unfetched, fetch_result, payload, payload_in};
pub(crate) use object::{entry_of, remove};
pub(crate) use offload::{Kept, is_plain, offload_payload, offload_result, payload_of, release};

//! Streams: making them what a program needs, and looking after them.
//!
//! `service` is what users call, `ensure` the way from a wanted configuration to the server's,
//! `compare` (pure) what differs and what can never change, `api` the server's requests.

mod api;
mod compare;
mod ensure;
mod service;

pub use async_nats::jetstream::stream::Config as StreamConfig;
pub use ensure::Ensured;
pub use service::Streams;

pub(crate) use api::stream_info;
pub(crate) use ensure::{create, ensure};

//! Numbers for Prometheus: an address that can be scraped, and what is on it.
//!
//! ```text
//!   naq worker --metrics ──► process ──┐
//!                                      ├──► listener ──► GET /metrics
//!   naq metrics ──► cluster ───────────┘
//! ```

mod cluster;
mod listener;
mod process;

pub(crate) use cluster::cluster_page;
pub(crate) use listener::Listener;
pub(crate) use process::serve_process;

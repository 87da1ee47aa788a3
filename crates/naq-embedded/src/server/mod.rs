//! One nats-server: how it is described, launched, found ready, and held.
//!
//! `builder` describes it, `config` writes its configuration, `launch` brings it up in a `run_dir`, `process` is the
//! child with its lifeline, `ready` asks it whether it serves, `failure` reads its log when it does not, `handle` is
//! what the caller holds.

mod builder;
mod config;
mod failure;
mod freeze;
mod handle;
mod launch;
mod process;
mod ready;
mod run_dir;
mod store;

pub use builder::Builder;
pub use handle::EmbeddedServer;

pub(crate) use config::ClusterConfig;
pub(crate) use launch::Launch;
pub(crate) use process::{Exit, Process};

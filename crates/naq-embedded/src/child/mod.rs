//! One nats-server process: how it is configured, launched and found ready.
//!
//! `config` writes its configuration, `launch` brings it up in a `run_dir` on a `store`, `process` is the child with
//! its lifeline, `held_port` keeps its ports while it is down, `ready` asks it whether it serves, `failure` reads its log when it does not, `freeze` waits until it
//! is stopped.

mod config;
mod failure;
mod freeze;
mod held_port;
mod launch;
mod process;
mod ready;
mod run_dir;
mod store;

pub(crate) use config::{ClusterConfig, Ports, ServerConfig};
pub(crate) use freeze::until_frozen;
pub use held_port::HeldPort;
pub(crate) use launch::Launch;
pub(crate) use process::{Exit, Process};
pub(crate) use run_dir::RunDir;
pub(crate) use store::Store;

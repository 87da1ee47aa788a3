//! One command per module.

pub(crate) mod bench;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod dead;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod enqueue;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod job;
pub(crate) mod kind;
pub(crate) mod metrics;
pub(crate) mod queue;
pub(crate) mod result;
pub(crate) mod schedule;
pub(crate) mod system;
pub(crate) mod top;
pub(crate) mod worker;
pub(crate) mod workflow;

mod batch_file;
mod body;
mod enqueue_flags;
mod job_flags;
mod operator;
mod outcome;
mod payload;
mod retry_flags;

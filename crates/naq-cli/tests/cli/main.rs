//! The `naq` binary itself, against real servers.

#![expect(
    clippy::unwrap_used,
    reason = "also what the tests are built on may panic"
)]

mod bench;
mod command;
mod config;
mod connection;
mod control;
mod dead;
mod demo;
mod dev;
mod enqueue;
mod errors;
mod events;
mod help;
mod inspect;
mod job_control;
mod jobs;
mod metrics;
mod processes;
mod programs;
mod schedule;
mod terminal;
mod traces;
mod walk;
mod workflow;

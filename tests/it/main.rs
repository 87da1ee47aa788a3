//! The whole system against a real nats-server: one module per theme.
#![expect(
    clippy::unwrap_used,
    reason = "in a test a failure is a panic, also in the helpers"
)]

mod setup;

mod bulk;
mod calendar;
mod crash;
mod dead;
mod enqueue;
mod foreign;
mod large;
mod moments;
mod presence;
mod process;
mod python;
mod queues;
mod results;
mod retry;
mod run;
mod schedule_faults;
mod schedules;
mod stop;
mod streams;
mod unique;

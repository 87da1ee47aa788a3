//! The whole system against a real nats-server: one module per theme.
#![expect(
    clippy::unwrap_used,
    reason = "in a test a failure is a panic, also in the helpers"
)]

mod crowd;
mod overtaken;
mod setup;

mod builds;
mod bulk;
mod calendar;
mod cancel;
mod compression;
mod control;
mod crash;
mod dead;
mod dead_many;
mod enqueue;
mod event_processors;
mod event_settings;
mod event_types;
mod events;
mod explain;
mod failpoints;
mod first_build;
mod foreign;
mod handlers;
mod inspect;
mod large;
mod limits;
mod moments;
mod notes;
mod parked;
mod policies;
mod presence;
mod priority;
mod process;
mod python;
mod python_examples;
mod queues;
mod removed;
mod results;
mod retry;
mod run;
mod schedule_fast;
mod schedule_faults;
mod schedule_jobs;
mod schedule_load;
mod schedule_queue;
mod schedule_timers;
mod schedules;
mod soak;
mod stop;
mod streams;
mod strict;
mod testing;
mod together;
mod traces;
mod unique;
mod unusable;
mod workflow_changes;
mod workflow_ends;
mod workflow_faults;
mod workflows;
mod wrong;

//! The worker: pulls jobs, runs handlers, renews leases, settles.
//!
//! ```text
//!   pull_loop ──► delivery ──► runner ──► attempt ──► verdict ──► settle
//!   (puller,       (message     (one job,  (handler,   (pure)      (outcome under the fence,
//!    slots: pure)   read)        its hold)  limits)                 dead letter, retry, ack)
//!                                  │                                     acks: many at a time)
//!                                holds ── renews all leases (lease: pure)
//! ```
//!
//! Beside it, `fires` takes what recurring schedules fire.
//!
//! `docs/design/0001-first-job.md` has the failure table.

mod acks;
mod admit;
mod attempt;
mod builder;
mod command;
mod conclude;
mod context;
mod control_loop;
mod delivery;
mod ears;
mod errands;
mod failure;
mod fires;
mod flows;
mod holds;
mod lease;
mod limit;
mod limits;
mod permits;
mod presence;
mod pull_loop;
mod puller;
mod registry;
mod runner;
mod running;
mod seen;
mod settle;
mod share;
mod shared_slots;
mod slots;
mod steering;
mod tally;
mod time_limits;
mod verdict;

pub use builder::Worker;
pub use command::EXIT_FATAL;
pub use context::JobContext;
pub use failure::JobError;
pub use running::RunningWorker;
pub use tally::StopReport;

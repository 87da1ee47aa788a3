//! The worker: pulls jobs, runs handlers, renews leases, settles.
//!
//! ```text
//!   pull_loop ──► delivery ──► runner ──► attempts ──► verdict ──► settle, sleep
//!   (puller,       (message     (one job,  (handler,    (pure)      (outcome under the fence,
//!    slots: pure)   read)        its hold)  limits)                  dead letter; retry)
//!                                  │                                     acks (many at a time)
//!                                holds ── renews all leases (lease: pure)
//! ```
//!
//! Before a job runs, `admit` and `limit` put it aside if it may not run yet. Beside it, `fires` takes what recurring schedules
//! fire, `cancels` hears of jobs that nobody wants any more, and `control_loop` and `steering` follow what is set at run time.
//!
//! `docs/design/0001-first-job.md` has the failure table.

mod acks;
mod admit;
mod attempt;
mod attempts;
mod builder;
mod cancels;
mod claim;
mod conclude;
mod context;
mod control_loop;
mod delivery;
mod ears;
mod errands;
mod fires;
mod flows;
mod handler;
mod heirs;
mod holds;
mod inbox;
mod job_log;
mod large;
mod launch;
mod lazy_token;
mod leave_places;
mod limit;
mod limits;
mod line;
mod notes;
mod permits;
mod prepare;
mod presence;
mod pull_loop;
mod puller;
mod register;
mod runner;
mod running;
mod seen;
mod settle;
mod shared_slots;
mod signal;
mod sleep;
mod slots;
mod steering;
mod tally;
mod telling;
mod time_limits;
mod traces;
mod verdict;

pub use builder::Worker;
pub use context::JobContext;
pub use handler::{
    AttemptError, AttemptReply, AttemptRequest, AttemptService, EXIT_FATAL, FromJob, Handler,
    JobError, State,
};
pub use job_log::JobLogLayer;
pub use notes::ProgressNote;
pub use register::JobFunction;
pub use running::RunningWorker;
pub use tally::StopReport;

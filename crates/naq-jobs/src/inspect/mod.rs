//! Where a job is and how deep a queue is, read from where the messages are. See `docs/design/0008-inspection.md`.
//!
//! ```text
//!   jobs ──► info ──► sight
//!     └────► queues, list, purge, forward, sweep     (pure: whereabouts)
//! ```

mod forward;
mod info;
mod jobs;
mod large;
mod list;
mod nodes;
mod parked;
mod purge;
mod queues;
mod sight;
mod status;
mod stock;
mod sweep;
mod whereabouts;
mod workers;

pub(crate) use info::{consumer_of, info_of, instant, runner_of};
pub(crate) use sight::{Found, Sight, look};
pub(crate) use whereabouts::{Whereabouts, whereabouts};
pub(crate) use workers::workers;

pub use info::JobInfo;
pub use list::{JobPage, ListedJob, PendingState};
pub use parked::ParkedJobs;
pub use purge::PurgePlan;
pub use queues::{QueueInfo, QueuePage};
pub use status::JobStatus;
pub use stock::Stock;
pub use sweep::Sweep;
pub use workers::WorkerInfo;

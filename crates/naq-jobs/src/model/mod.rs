//! Plain data of a job: names, options, retry policy. No I/O.

mod id;
mod job;
mod kind;
mod queue_name;
mod retry;
mod schedule_name;
mod token;

pub use id::{InvalidJobId, JobId};
pub use job::Job;
pub use kind::{InvalidKind, Kind, KindName};
pub use queue_name::{InvalidQueueName, QueueName};
pub(crate) use retry::ErrorWords;
pub use retry::{Backoff, Jitter, RetryPolicy};
pub use schedule_name::{InvalidScheduleName, ScheduleName};

//! Plain data of a job: names, options, retry policy. No I/O.

mod due;
mod header;
mod id;
mod job;
mod job_times;
mod kind;
mod object;
mod priority;
mod queue_name;
mod retry;
mod schedule_name;
mod token;
mod trace_context;
mod unique;

pub(crate) use due::Due;
pub use id::{InvalidJobId, JobId};
pub use job::Job;
pub use kind::{InvalidKind, Kind, KindName};
pub use object::{Encoding, ObjectRef};
pub use priority::Priority;
pub use queue_name::{InvalidQueueName, QueueName};
pub(crate) use retry::ErrorWords;
pub use retry::{Backoff, Jitter, RetryPolicy};
pub use schedule_name::{InvalidScheduleName, ScheduleName};
pub use trace_context::TraceContext;
pub(crate) use unique::Policy;
pub use unique::{Landing, Unique};

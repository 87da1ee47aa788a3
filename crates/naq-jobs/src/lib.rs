//! Background jobs on NATS JetStream: enqueue, worker, results, dead letters.
//!
//! At least once, settled exactly once: a job's outcome is recorded by one attempt and never overwritten. Nothing
//! that was acknowledged is lost, nothing polls.
//!
//! Start at [`Jobs`]; the bytes on the wire are specified in `docs/reference/wire.md`.

mod attribute;
mod cancel;
mod cancel_request;
mod control;
mod dead;
mod enqueue;
mod error;
mod event_log;
mod events;
mod explain;
mod failpoint;
mod flow_end;
mod inspect;
mod jobs;
mod model;
mod notes;
mod parked;
mod payload;
mod results;
mod schedule;
mod server;
mod traces;
mod wire;
mod worker;
mod workflow;

#[doc(hidden)]
pub use attribute::{Returned, serde};
pub use cancel::{CancelReport, CancelledFrom};
pub use cancel_request::CancelRequest;
pub use control::{Controls, KindSetting, Paused, QueueOrder, QueueSetting, WorkerSetting};
pub use dead::{DeadBulk, DeadFilter, DeadGroup, DeadGroups, DeadLetter, DeadLetters, DeadPage};
pub use enqueue::{Bulk, JobHandle};
pub use error::{JobsError, JobsErrorKind};
pub use event_log::*;
pub use events::{Event, EventBody, EventType, UnknownEventType};
pub use explain::*;
pub use inspect::*;
pub use jobs::Jobs;
pub use model::*;
pub use naq_config::settings::{Compression, InvalidRate, Rate};
pub use naq_macros::job;
pub use notes::{JobNews, LogLine, Part, Progress, Watch};
pub use results::{ResultFilter, ResultPage, Results};
pub use schedule::*;
pub use server::MINIMUM_SERVER;
pub use traces::*;
/// The level of a line in the log of a job.
pub use tracing::Level;
pub use wire::{
    FailureReason, JobFailure, Outcome, RunningJob, Status, WorkerConnection, WorkerRecord,
    WorkerStatus, headers,
};
pub use worker::{
    AttemptError, AttemptReply, AttemptRequest, AttemptService, EXIT_FATAL, FromJob, Handler,
    JobContext, JobError, JobFunction, JobLogLayer, ProgressNote, RunningWorker, State, StopReport,
    Worker,
};
pub use workflow::*;

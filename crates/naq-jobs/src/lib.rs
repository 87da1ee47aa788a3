//! Background jobs on NATS JetStream: enqueue, worker, results, dead letters.
//!
//! At least once, settled exactly once: a job's outcome is recorded by one attempt and never overwritten. Nothing
//! that was acknowledged is lost, nothing polls.
//!
//! Start at [`Jobs`]; the bytes on the wire are specified in `docs/reference/wire.md`.

mod dead;
mod enqueue;
mod error;
mod jobs;
mod model;
mod payload;
mod results;
mod schedule;
mod server;
mod wire;
mod worker;

pub use dead::{DeadLetter, DeadLetters, DeadPage};
pub use enqueue::{Bulk, JobHandle};
pub use error::{JobsError, JobsErrorKind};
pub use jobs::{Jobs, Stock, WorkerInfo};
pub use model::{
    Backoff, InvalidJobId, InvalidKind, InvalidQueueName, InvalidScheduleName, Job, JobId, Kind,
    KindName, Landing, ObjectRef, QueueName, RetryPolicy, ScheduleName, Unique,
};
pub use results::{ResultPage, Results};
pub use schedule::{
    CatchUp, Cron, CronError, Dst, DstMark, Firing, Firings, InvalidZone, NewSchedule, Overlap,
    Schedule, ScheduleChange, SchedulePage, ScheduleRule, ScheduleState, Schedules, Timetable,
    TimetableError, Zone,
};
pub use server::MINIMUM_SERVER;
pub use wire::{
    FailureReason, JobFailure, Outcome, RunningJob, Status, WorkerRecord, WorkerStatus, headers,
};
pub use worker::{EXIT_FATAL, JobContext, JobError, RunningWorker, StopReport, Worker};

//! Background jobs and connection management on NATS JetStream.
//!
//! At least once, settled exactly once: a job's outcome is recorded by one attempt and never overwritten. What was
//! acknowledged is not lost, and nothing polls.
//!
//! This crate is the short list of what a program needs; all of it comes from the crates below. It needs a
//! nats-server 2.14 or newer. Without one at hand, [`embedded`] starts one:
//!
//! ```
//! use std::time::Duration;
//!
//! use naq::embedded::EmbeddedServer;
//! use naq::{JobContext, JobError, Jobs, Kind, Settings};
//!
//! // Declared once, used by sender and handler: they cannot disagree.
//! const GREET: Kind<String, String> = Kind::new("greet").retries(3);
//!
//! async fn greet(_: JobContext, name: String) -> Result<String, JobError> {
//!     Ok(format!("Hello {name}"))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = EmbeddedServer::builder().start().await?;
//!     let mut settings = Settings::default();
//!     settings.nats.servers = vec![server.url()];
//!
//!     let jobs = Jobs::connect(settings).await?;
//!     let worker = jobs.worker().handle(GREET, greet).start().await?;
//!     let job = jobs.enqueue(GREET.job(&"Ada".to_owned())?).await?;
//!     assert_eq!(job.result(Duration::from_secs(10)).await?, "Hello Ada");
//!
//!     worker.stop(Duration::from_secs(10)).await;
//!     jobs.shutdown().await;
//!     server.stop().await?;
//!     Ok(())
//! }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | enqueue, wait for a result | [`Jobs`], [`Kind`], [`Job`], [`JobHandle`] |
//! | run jobs | [`Jobs::worker`], [`macro@job`], [`JobContext`], [`JobError`], [`State`] |
//! | cancel | [`Jobs::cancel`] |
//! | tell and see how far a job is | [`JobContext::progress`], [`Jobs::watch`] |
//! | retry | [`RetryPolicy`] |
//! | pause, limit, scale while jobs run | [`Jobs::controls`], [`Priority`], [`Job::limit_key`] |
//! | make jobs again and again | [`Jobs::schedule`], [`Schedules`], [`Timetable`], [`Jobs::explain_schedule`] |
//! | let jobs wait for one another | [`Workflow`], [`Jobs::submit`], [`Workflows`], [`Membership`] |
//! | look after what failed | [`Jobs::dead_letters`] |
//! | see what happens | [`Jobs::events`], [`EventFilter`], [`EventProcessor`] |
//! | follow a job through traces | feature `otel`, [`TraceContext`], [`JobContext::trace`] |
//! | see where jobs are and why they do not run | [`Jobs::status`], [`Jobs::queues`], [`Jobs::explain`] |
//! | configure | [`Loader`], [`Settings`] |
//! | use connections without jobs | [`connection`] |
//!
//! The command `naq` (crate `naq-cli`) does the same from a shell.

pub use naq_config::{ConfigError, Loader, Settings};
pub use naq_jobs::{
    AttemptError, AttemptReply, AttemptRequest, AttemptService, Backoff, Bulk, CancelReport,
    CancelRequest, CancelledFrom, CatchUp, Compression, Controls, Cron, CronError, DeadBulk,
    DeadFilter, DeadGroup, DeadGroups, DeadLetter, DeadLetters, DeadPage, Dst, DstMark, EXIT_FATAL,
    Encoding, EnteredTrace, Event, EventBody, EventFilter, EventProcessor, EventStats, EventStream,
    EventType, Events, Explanation, Facts, FailureReason, Firing, Firings, FlowNodeRef, FlowPlace,
    FlowReason, FromJob, Handler, Hold, InvalidRate, InvalidScheduleName, InvalidZone, Jitter, Job,
    JobContext, JobError, JobFailure, JobFunction, JobHandle, JobHistory, JobId, JobInfo,
    JobLogLayer, JobNews, JobPage, JobStatus, Jobs, JobsError, JobsErrorKind, Kind, KindName,
    KindSetting, Landing, Level, ListedJob, LogLine, MINIMUM_SERVER, Membership, NewSchedule,
    NodeKind, NodePlace, NodeState, NodeStatus, ObjectRef, On, Outcome, Overlap, ParkedJobs, Part,
    Paused, PendingState, PlaceHolder, Priority, ProcessorReport, Progress, ProgressNote,
    PurgePlan, QueueInfo, QueueName, QueueOrder, QueuePage, QueueSetting, Rate, Reason,
    ResultFilter, ResultPage, Results, RetryPolicy, RunningJob, RunningProcessor, RunningWorker,
    Schedule, ScheduleChange, ScheduleExplanation, ScheduleName, SchedulePage, ScheduleReason,
    ScheduleRule, ScheduleState, Schedules, SpanEnd, SpanStart, State, StatsBy, StatsRow, Status,
    Stock, StopReport, Sweep, Timetable, TimetableError, TraceContext, TraceOperation, TraceSpan,
    Tracer, Unique, UnknownEventType, Watch, Worker, WorkerConnection, WorkerFact, WorkerInfo,
    WorkerRecord, WorkerSetting, WorkerStatus, Workflow, WorkflowHandle, WorkflowPage,
    WorkflowState, WorkflowStatus, WorkflowSummary, Workflows, Zone, enter_trace, job, reasons,
    set_tracer,
};
#[doc(hidden)]
pub use naq_jobs::{Returned, serde};

/// Typed settings, put together from files, environment and code.
pub use naq_config as config;
/// Leases on shared NATS connections, usable without jobs.
pub use naq_connection as connection;
/// A real nats-server as a supervised child: for development, tests and demonstrations.
pub use naq_embedded as embedded;
/// OpenTelemetry traces of jobs, and their export.
#[cfg(feature = "otel")]
pub use naq_otel as otel;

/// The README's program is compiled and run, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

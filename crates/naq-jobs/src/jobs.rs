//! The entry point: [`Jobs`].

use naq_config::Settings;
use naq_connection::{ConnectionService, ShutdownReport};

use crate::JobsError;
use crate::dead::DeadLetters;
use crate::enqueue::{JobHandle, enqueue, enqueue_many};
use crate::model::{Job, JobId};
use crate::results::Results;
use crate::schedule::{NewSchedule, Schedules};
use crate::server::{Link, count, ensure_streams, page};
use crate::wire::WorkerRecord;
use crate::worker::Worker;
use crate::workflow::{Workflow, WorkflowHandle, Workflows, submit, submit_after};

/// Workers that are listed at the most.
const MAX_WORKERS: usize = 10_000;

/// The job system on one server or cluster. A cheap handle; clones share one connection.
///
/// ```no_run
/// use std::time::Duration;
/// use naq_jobs::{JobContext, JobError, Jobs, Kind};
///
/// const GREET: Kind<String, String> = Kind::new("greet");
///
/// # async fn example() -> Result<(), naq_jobs::JobsError> {
/// let jobs = Jobs::connect(naq_config::Settings::default()).await?;
/// let worker = jobs
///     .worker()
///     .handle(GREET, async |_: JobContext, name: String| Ok::<_, JobError>(format!("Hello {name}")))
///     .start()
///     .await?;
/// let job = jobs.enqueue(GREET.job(&"Ada".to_owned())?).await?;
/// assert_eq!(job.result(Duration::from_secs(5)).await?, "Hello Ada");
/// worker.stop(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Jobs {
    link: Link,
}

/// A live worker, as it shows itself.
#[derive(Debug, Clone)]
pub struct WorkerInfo {
    /// What it says about itself.
    pub record: WorkerRecord,
    /// When the server got its last sign of life, RFC 3339.
    pub seen_at: String,
}

/// How much the server has in store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stock {
    /// Jobs that wait or run.
    pub waiting: u64,
    /// Jobs that are due later, retries included.
    pub scheduled: u64,
    /// Outcomes that are kept.
    pub outcomes: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

impl Jobs {
    /// Connects, checks the server, and prepares the streams as the settings ask.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] if the server cannot be reached (a retry helps later),
    /// [`crate::JobsErrorKind::Unsupported`] if it is too old, [`crate::JobsErrorKind::Configuration`] if it cannot do what the
    /// settings ask (the message names the key).
    pub async fn connect(settings: Settings) -> Result<Self, JobsError> {
        let service = ConnectionService::new(settings.nats.clone());
        Self::on(service, settings).await
    }

    /// As [`Self::connect`], on connections that the program already has.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn on(service: ConnectionService, settings: Settings) -> Result<Self, JobsError> {
        let link = Link::new(service, settings);
        ensure_streams(&link).await?;
        Ok(Self { link })
    }

    /// Enqueues a job; when this returns, the server has stored it. An answer that was lost is asked for again with
    /// the same id, which cannot enqueue twice.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::TooLarge`]; [`crate::JobsErrorKind::Connection`] and
    /// [`crate::JobsErrorKind::OutcomeUnknown`] after three request timeouts (retry with the same id).
    ///
    /// # Cancel safety
    /// If the future is dropped, the job may or may not have been enqueued.
    pub async fn enqueue<R>(&self, job: Job<R>) -> Result<JobHandle<R>, JobsError> {
        let id = enqueue(&self.link, job).await?;
        Ok(JobHandle::new(id, self.results()))
    }

    /// Enqueues many jobs over one connection, without waiting for one before sending the next. One answer per job,
    /// in their order; a refused one does not stop the others.
    pub async fn enqueue_many<R>(
        &self,
        jobs: impl IntoIterator<Item = Job<R>>,
    ) -> Vec<Result<JobHandle<R>, JobsError>> {
        let ids = enqueue_many(&self.link, jobs).await;
        ids.into_iter()
            .map(|id| Ok(JobHandle::new(id?, self.results())))
            .collect()
    }

    /// Describes a worker.
    pub fn worker(&self) -> Worker {
        Worker::new(self.link.clone())
    }

    /// The outcomes of all jobs.
    pub fn results(&self) -> Results {
        Results::new(self.link.clone())
    }

    /// Describes a new schedule: a job that is made again and again.
    ///
    /// ```no_run
    /// # const REPORT: naq_jobs::Kind<String, ()> = naq_jobs::Kind::new("report");
    /// # async fn example(jobs: naq_jobs::Jobs) -> Result<(), naq_jobs::JobsError> {
    /// let report = REPORT.job(&"sales".to_owned())?;
    /// let schedule = jobs
    ///     .schedule(report)
    ///     .cron("0 9 * * mon-fri")
    ///     .zone("Europe/Amsterdam")
    ///     .create("sales-report")
    ///     .await?;
    /// println!("first at {:?}", schedule.next());
    /// # Ok(())
    /// # }
    /// ```
    pub fn schedule<R>(&self, job: Job<R>) -> NewSchedule {
        NewSchedule::new(self.link.clone(), job)
    }

    /// The schedules.
    pub fn schedules(&self) -> Schedules {
        Schedules::new(self.link.clone())
    }

    /// Submits a workflow: when this returns, the server has all of it, and what may begin has begun. An answer that was
    /// lost is asked for again, which cannot submit twice.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::InvalidWorkflow`] for an impossible graph, [`crate::JobsErrorKind::AlreadyExists`] if its
    /// id is taken, [`crate::JobsErrorKind::NotFound`] for a job outside of which nothing is known,
    /// [`crate::JobsErrorKind::TooLarge`]; [`crate::JobsErrorKind::Connection`] and
    /// [`crate::JobsErrorKind::OutcomeUnknown`] (retry with the same [`Workflow::id`]).
    ///
    /// # Cancel safety
    /// If the future is dropped, the workflow may or may not have been submitted.
    pub async fn submit(&self, workflow: Workflow) -> Result<WorkflowHandle, JobsError> {
        submit(&self.link, workflow).await
    }

    /// Enqueues a job that runs once the jobs `ids` have completed, also if that was long ago. If one of them fails, it never
    /// runs: what it is waited for with then times out. It is a [`Workflow`] of one node, which can do more.
    ///
    /// # Errors
    /// As [`Self::submit`]; [`crate::JobsErrorKind::NotFound`] if nothing is known of one of `ids`.
    pub async fn enqueue_after<R>(
        &self,
        job: Job<R>,
        ids: impl IntoIterator<Item = JobId>,
    ) -> Result<JobHandle<R>, JobsError> {
        let id = submit_after(&self.link, job, ids).await?;
        Ok(JobHandle::new(id, self.results()))
    }

    /// A handle on a workflow that somebody has submitted.
    pub fn workflow(&self, id: JobId) -> WorkflowHandle {
        WorkflowHandle::new(self.link.clone(), id)
    }

    /// The workflows.
    pub fn workflows(&self) -> Workflows {
        Workflows::new(self.link.clone())
    }

    /// The dead letters.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.link.clone())
    }

    /// The live workers. One that died is listed until its record expires (`workers.ttl`).
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps).
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, JobsError> {
        let conn = self.link.lease("list the workers").await?;
        let names = self.link.names();
        let filter = names.worker_filter();
        let found = page(&conn, &names.workers_stream(), &filter, 0, MAX_WORKERS).await?;
        let known = found.messages.into_iter().filter_map(|stored| {
            let record = serde_json::from_slice(&stored.payload).ok()?;
            Some(WorkerInfo {
                record,
                seen_at: stored.time,
            })
        });
        Ok(known.collect())
    }

    /// Counts what the server has in store, without reading it.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps).
    pub async fn stock(&self) -> Result<Stock, JobsError> {
        let conn = self.link.lease("count the jobs").await?;
        let names = self.link.names();
        let jobs = names.jobs_stream();
        Ok(Stock {
            waiting: count(&conn, &jobs, &names.all_queues()).await?,
            scheduled: count(&conn, &jobs, &names.all_schedules()).await?,
            outcomes: count(&conn, &names.results_stream(), &names.result_filter()).await?,
            dead_letters: count(&conn, &names.dead_stream(), &names.dead_filter(None)).await?,
        })
    }

    /// The connections that this uses.
    pub fn connections(&self) -> &ConnectionService {
        self.link.service()
    }

    /// Closes the connections: flush, drain, close, inside `nats.drain_timeout`.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.link
            .service()
            .shutdown(self.link.settings().nats.drain_timeout)
            .await
    }
}

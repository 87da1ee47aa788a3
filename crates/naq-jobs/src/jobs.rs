//! The entry point: [`Jobs`].

use std::time::Duration;

use naq_config::Settings;
use naq_connection::{ConnectionService, ShutdownReport};

use crate::JobsError;
use crate::cancel_request::CancelRequest;
use crate::control::Controls;
use crate::dead::DeadLetters;
use crate::enqueue::{Bulk, JobHandle, Landed, enqueue, enqueue_all, enqueue_many};
use crate::event_log::{Events, LAST_FLUSH, start_outbox};
use crate::model::{Job, JobId};
use crate::notes::Watch;
use crate::results::Results;
use crate::schedule::{NewSchedule, Schedules};
use crate::server::{Link, ensure_streams, prepare};
use crate::worker::Worker;
use crate::workflow::{Workflow, WorkflowHandle, Workflows, submit, submit_after};

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
    /// How long `enqueue` waits for the end of the job.
    inline: Option<Duration>,
}

impl Jobs {
    /// Connects, checks the server, and prepares the streams as the settings ask.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] if the server cannot be reached (a retry helps later),
    /// [`crate::JobsErrorKind::Unsupported`] if it is too old or JetStream is off, [`crate::JobsErrorKind::Configuration`] if it
    /// cannot do what the settings ask (the message names the key), [`crate::JobsErrorKind::Server`] if it does not let this user.
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
        let streams = &link;
        prepare(streams, "prepare the streams", move |_| {
            ensure_streams(streams)
        })
        .await?;
        start_outbox(&link);
        Ok(Self { link, inline: None })
    }

    /// A handle whose [`Self::enqueue`] returns only when the job has ended, however it did: for tests and scripts. Some worker
    /// has to run meanwhile. A job that is due later is not waited for.
    #[must_use]
    pub fn inline(mut self, within: Duration) -> Self {
        self.inline = Some(within);
        self
    }

    /// Enqueues a job; when this returns, the server has stored it. An answer that was lost is asked for again with
    /// the same id, which cannot enqueue twice. A unique job whose key is taken is not enqueued: the handle is that of the
    /// job that is there ([`JobHandle::is_existing`]).
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::TooLarge`]; [`crate::JobsErrorKind::Connection`] and
    /// [`crate::JobsErrorKind::OutcomeUnknown`] after three request timeouts (retry with the same id);
    /// [`crate::JobsErrorKind::Timeout`] of an [inline](Self::inline) handle if the job has not ended.
    ///
    /// # Cancel safety
    /// If the future is dropped, the job may or may not have been enqueued.
    pub async fn enqueue<R>(&self, job: Job<R>) -> Result<JobHandle<R>, JobsError> {
        let within = self.inline.filter(|_| job.due.is_none());
        let landed = enqueue(&self.link, job).await?;
        let handle = JobHandle::new(landed, self.results());
        if let Some(within) = within {
            Box::pin(handle.outcome(within)).await?;
        }
        Ok(handle)
    }

    /// Enqueues many jobs over one connection, without waiting for one before sending the next. One answer per job,
    /// in their order; a refused one does not stop the others.
    pub async fn enqueue_many<R>(
        &self,
        jobs: impl IntoIterator<Item = Job<R>>,
    ) -> Vec<Result<JobHandle<R>, JobsError>> {
        let landed = enqueue_many(&self.link, jobs).await;
        landed
            .into_iter()
            .map(|landed| Ok(JobHandle::new(landed?, self.results())))
            .collect()
    }

    /// Cancels a job, wherever it is: waiting, due later, parked, or running in any process. Await it to send it.
    ///
    /// The outcome `cancelled` is written first, so a cancel is not lost and whoever ends the job first wins. A handler that
    /// runs sees it in [`crate::JobContext::cancelled`], and is dropped after the grace. There is no dead letter.
    ///
    /// ```no_run
    /// # async fn example(jobs: naq_jobs::Jobs, id: naq_jobs::JobId) -> Result<(), naq_jobs::JobsError> {
    /// let report = jobs.cancel(&id).reason("the order was withdrawn").await?;
    /// println!("{}: {}", report.id, report.from);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::NotFound`] if there is neither a job nor an outcome; [`crate::JobsErrorKind::Connection`] and
    /// [`crate::JobsErrorKind::OutcomeUnknown`] (a retry helps and does what is left). That the job has ended is no error.
    ///
    /// # Cancel safety
    /// If the future is dropped, the job may or may not be cancelled; a second call does what is left.
    pub fn cancel(&self, id: &JobId) -> CancelRequest {
        CancelRequest::new(self.link.clone(), id.clone())
    }

    /// Watches a job: what it has said so far, then each progress, partial result and line of its log as it comes, then its
    /// end. From any process, also before the job runs and after it has ended.
    ///
    /// ```no_run
    /// # async fn example(jobs: naq_jobs::Jobs, id: naq_jobs::JobId) -> Result<(), naq_jobs::JobsError> {
    /// use naq_jobs::JobNews;
    ///
    /// let mut watch = jobs.watch(&id);
    /// while let Some(news) = watch.next().await {
    ///     match news? {
    ///         JobNews::Progress(progress) => println!("{} of {}", progress.done, progress.total),
    ///         JobNews::End(outcome) => println!("{}", outcome.status),
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self, id: &JobId) -> Watch {
        Watch::new(self.link.clone(), id.clone())
    }

    /// Enqueues up to 1,000 jobs together: all of them, or none. One atomic batch of the server, which also costs its disk
    /// less than as many jobs one by one. A unique job counts as two if it has a window, and needs a free key here,
    /// whatever its policy.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::AlreadyExists`] if the id of one is known or its key is taken (the message names it);
    /// [`crate::JobsErrorKind::TooLarge`] if they are too many, or one is too large; otherwise as [`Self::enqueue`].
    /// In each case none was enqueued, except after [`crate::JobsErrorKind::OutcomeUnknown`].
    pub async fn enqueue_all<R>(
        &self,
        jobs: impl IntoIterator<Item = Job<R>>,
    ) -> Result<Vec<JobHandle<R>>, JobsError> {
        let landed = Box::pin(enqueue_all(&self.link, jobs)).await?;
        let handle = |landed| JobHandle::new(landed, self.results());
        Ok(landed.into_iter().map(handle).collect())
    }

    /// Opens a bulk: any number of jobs under one name, in chunks that are stored whole, together with the place behind
    /// them. A program that was killed opens the same name and goes on exactly there. The place is kept as long as
    /// outcomes are (`results.ttl`). A name is 1 to 40 of `A-Z a-z 0-9 _ -`.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::InvalidName`]; [`crate::JobsErrorKind::Connection`] (a retry helps).
    pub async fn bulk(&self, name: &str) -> Result<Bulk, JobsError> {
        Bulk::open(self.link.clone(), name).await
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

    /// Pause, resume, quiet, scale and limit.
    pub fn controls(&self) -> Controls {
        Controls::new(self.link.clone())
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

    /// Enqueues a job that runs once the jobs `ids` have completed, also if that was long ago. If one of them does not, it never
    /// runs, and has the outcome `cancelled`, which says why. It is a [`Workflow`] of one node, which can do more.
    ///
    /// # Errors
    /// As [`Self::submit`]; [`crate::JobsErrorKind::NotFound`] if nothing is known of one of `ids`.
    pub async fn enqueue_after<R>(
        &self,
        job: Job<R>,
        ids: impl IntoIterator<Item = JobId>,
    ) -> Result<JobHandle<R>, JobsError> {
        let id = submit_after(&self.link, job, ids).await?;
        Ok(JobHandle::new(Landed::new(id), self.results()))
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

    /// What has happened: live, again, counted.
    pub fn events(&self) -> Events {
        Events::new(self.link.clone())
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// The connections that this uses.
    pub fn connections(&self) -> &ConnectionService {
        self.link.service()
    }

    /// Sends the last events and closes the connections: flush, drain, close, inside `nats.drain_timeout`.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.link.events().stop(LAST_FLUSH).await;
        self.link
            .service()
            .shutdown(self.link.settings().nats.drain_timeout)
            .await
    }
}

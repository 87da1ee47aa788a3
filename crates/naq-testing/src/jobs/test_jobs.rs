//! A job system of its own for one test.

use std::ops::Deref;
use std::time::{Duration, SystemTime};

use naq_config::Settings;
use naq_jobs::{Jobs, JobsError, ListedJob, PendingState, RunningWorker, StopReport, Worker};

use super::Expected;
use crate::{TestServer, eventually};

/// Time that a drain may take before the test fails.
const DRAIN: Duration = Duration::from_secs(60);

/// Moments to which [`TestJobs::drain_all`] goes at the most: a job that is put off for ever would never end.
const MOMENTS: usize = 1000;

/// Jobs on a server of their own, with what a test needs. Derefs to [`Jobs`].
///
/// ```
/// use naq_jobs::{JobContext, JobError, Kind, RetryPolicy};
/// use naq_testing::{Expected, TestJobs};
/// use std::time::Duration;
///
/// const GREET: Kind<String, String> = Kind::new("greet");
///
/// /// The code under test.
/// async fn welcome(jobs: &naq_jobs::Jobs, name: &str) -> Result<(), naq_jobs::JobsError> {
///     let job = GREET.job(&name.to_owned())?.delay(Duration::from_secs(3600));
///     jobs.enqueue(job).await.map(drop)
/// }
///
/// # #[tokio::main]
/// # async fn main() {
/// let jobs = TestJobs::start().await;
/// welcome(&jobs, "Ada").await.unwrap();
/// jobs.assert_enqueued(Expected::of(GREET).args("Ada")).await;
///
/// let worker = || {
///     jobs.worker()
///         .handle(GREET, async |_: JobContext, name: String| Ok::<_, JobError>(format!("Hello {name}")))
/// };
/// assert_eq!(jobs.drain(worker()).await.completed, 0, "it is not due yet");
/// jobs.advance(Duration::from_secs(3600)).await;
/// assert_eq!(jobs.drain(worker()).await.completed, 1);
/// jobs.stop().await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the server"]
pub struct TestJobs {
    jobs: Jobs,
    server: TestServer,
}

impl TestJobs {
    /// Starts a server, and jobs on it.
    ///
    /// # Panics
    /// If there is no usable nats-server or it does not start; the message says what to do.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// As [`Self::start`], with other settings.
    ///
    /// # Panics
    /// As [`Self::start`], and if the settings ask for something impossible.
    pub async fn start_with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let server = TestServer::start().await;
        let mut settings = server.settings();
        adjust(&mut settings);
        let jobs = must(Jobs::connect(settings).await);
        Self { jobs, server }
    }

    /// Its server: kill it, pause it, ask it.
    pub fn server(&self) -> &TestServer {
        &self.server
    }

    /// All jobs that have not ended: those that wait or run, then those that are parked, then those that are due later.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn enqueued(&self) -> Vec<ListedJob> {
        let mut all = self.pending(PendingState::Queued).await;
        all.extend(self.pending(PendingState::Parked).await);
        all.extend(self.scheduled().await);
        all
    }

    /// Asserts that such jobs are enqueued: waiting, running, or due later.
    ///
    /// # Panics
    /// If not, with what is enqueued instead.
    pub async fn assert_enqueued(&self, expected: Expected) {
        if let Some(complaint) = expected.complaint(&self.enqueued().await) {
            panic!("{complaint}");
        }
    }

    /// Runs what waits, and what that enqueues, until nothing waits any more. What is due later stays, retries after a second
    /// and more included.
    ///
    /// # Panics
    /// If something still waits after a minute: no handler ends it.
    pub async fn drain(&self, worker: Worker) -> StopReport {
        let worker = self.run(worker).await;
        self.until_empty().await;
        worker.stop(DRAIN).await
    }

    /// As [`Self::drain`], and then moves time on to each next moment at which something is due, until nothing is left.
    ///
    /// # Panics
    /// As [`Self::drain`], and if there is still something due after a thousand such moments.
    pub async fn drain_all(&self, worker: Worker) -> StopReport {
        let worker = self.run(worker).await;
        for _ in 0..MOMENTS {
            self.until_empty().await;
            let later = self.scheduled().await;
            let Some(next) = later.iter().filter_map(|job| job.due).min() else {
                return worker.stop(DRAIN).await;
            };
            let wait = next.duration_since(SystemTime::now()).unwrap_or_default();
            self.advance(wait).await;
        }
        panic!("something is still due later after {MOMENTS} rounds: is a job put off for ever?");
    }

    /// A handle with which each job has ended when `enqueue` returns, run by `worker`. Give it to the code under test; stop the
    /// worker at the end.
    ///
    /// # Panics
    /// If the worker does not start.
    pub async fn inline(&self, worker: Worker) -> (Jobs, RunningWorker) {
        (self.jobs.clone().inline(DRAIN), self.run(worker).await)
    }

    /// Moves time on for all jobs that are due later, retries included: they are due earlier by `by`. Returns when those that are
    /// due by then wait in their queues. Recurring schedules keep their time; use `trigger`.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn advance(&self, by: Duration) {
        must(self.jobs.bring_forward(by).await);
        eventually(DRAIN, async || {
            let mut later = self.scheduled().await;
            let now = SystemTime::now();
            later.retain(|job| job.due.is_some_and(|due| due <= now));
            if later.is_empty() { Ok(()) } else { Err(later) }
        })
        .await;
    }

    /// Closes the connections and ends the server.
    ///
    /// # Panics
    /// If the server's supervisor has died.
    pub async fn stop(self) {
        self.jobs.shutdown().await;
        self.server.stop().await;
    }

    async fn run(&self, worker: Worker) -> RunningWorker {
        must(worker.start().await)
    }

    async fn until_empty(&self) {
        eventually(DRAIN, async || {
            // A job may be parked or released between two looks: one that is seen in neither has gone by the third.
            let before = self.pending(PendingState::Parked).await.len();
            let waiting = must(self.jobs.stock().await).waiting;
            let parked = before.max(self.pending(PendingState::Parked).await.len());
            match (waiting, parked) {
                (0, 0) => Ok(()),
                _ => Err(format!("{waiting} jobs wait or run, {parked} are parked")),
            }
        })
        .await;
    }

    async fn scheduled(&self) -> Vec<ListedJob> {
        self.pending(PendingState::Scheduled).await
    }

    async fn pending(&self, state: PendingState) -> Vec<ListedJob> {
        let (mut all, mut from) = (Vec::new(), Some(0));
        while let Some(start) = from {
            let page = must(self.jobs.pending_jobs(state, None, start, 1000).await);
            all.extend(page.jobs);
            from = page.next;
        }
        all
    }
}

impl Deref for TestJobs {
    type Target = Jobs;

    fn deref(&self) -> &Jobs {
        &self.jobs
    }
}

fn must<T>(result: Result<T, JobsError>) -> T {
    result.unwrap_or_else(|e| panic!("the test's job system: {e}"))
}

//! A running worker: its tasks, and how it stops.
//!
//! ```text
//!   start ──► PULLING ── stop(grace) ──► DRAINING ── all settled ──────────────► STOPPED
//!                │                          │ grace over                            ▲
//!                │                          └──► ABORTING: running jobs are ────────┤
//!                │                               cancelled and handed back          │
//!                └── dropped ──► ABORTING without waiting; leases end by themselves ┘
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::runner::Runner;
use super::tally::StopReport;
use crate::control::remove_worker;
use crate::event_log::LAST_FLUSH;
use crate::{JobsError, JobsErrorKind};

/// Time that cancelled jobs get to be handed back.
const HAND_BACK: Duration = Duration::from_secs(3);

/// A running worker. Dropping it aborts its jobs; [`RunningWorker::stop`] ends it well.
#[derive(Debug)]
pub struct RunningWorker {
    pub(super) runner: Arc<Runner>,
    pub(super) jobs: TaskTracker,
    pub(super) loops: JoinSet<Result<(), JobsError>>,
    /// Renewal, acknowledgements and presence, which go on until all jobs are settled.
    pub(super) keepers: JoinSet<()>,
    pub(super) gone: CancellationToken,
}

impl RunningWorker {
    /// The worker's id, as others see it.
    pub fn id(&self) -> &str {
        &self.runner.worker
    }

    /// What it did so far.
    pub fn report(&self) -> StopReport {
        self.runner.tally.report()
    }

    /// Completes when an operator wants the worker to end (`naq worker stop`); then call [`Self::stop`].
    ///
    /// # Cancel safety
    /// Safe to drop and call again.
    pub fn told_to_stop(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut steered = self.runner.steering.watch();
        async move {
            if steered.wait_for(|now| now.has_to_stop).await.is_err() {
                // The worker is gone, and nobody can tell it anything.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Completes when the worker cannot go on: the connection is lost for good. Normally it never does.
    ///
    /// # Cancel safety
    /// Safe to drop and call again.
    pub async fn failed(&mut self) -> JobsError {
        while let Some(ended) = self.loops.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(join) => {
                    return JobsError::new(JobsErrorKind::Worker, "pull jobs").because(join);
                }
            }
        }
        std::future::pending().await
    }

    /// Stops: takes no more jobs, gives the running ones `grace` to finish, then cancels them and hands them back.
    ///
    /// Bounded by `grace` plus a few seconds, also while the server is down.
    ///
    /// # Cancel safety
    /// If the future is dropped, the worker is aborted as by dropping it.
    pub async fn stop(self, grace: Duration) -> StopReport {
        self.stop_or_hurry(grace, std::future::pending()).await
    }

    /// As [`Self::stop`]; the grace is over when `hurry` ends, such as when somebody asks a second time.
    ///
    /// # Cancel safety
    /// As [`Self::stop`].
    pub async fn stop_or_hurry(
        mut self,
        grace: Duration,
        hurry: impl Future<Output = ()>,
    ) -> StopReport {
        self.runner.stopping.cancel();
        while self.loops.join_next().await.is_some() {}
        self.jobs.close();
        let are_done = tokio::select! {
            () = self.jobs.wait() => true,
            () = tokio::time::sleep(grace) => false,
            () = hurry => false,
        };
        if !are_done {
            self.runner.abort.cancel();
            if tokio::time::timeout(HAND_BACK, self.jobs.wait())
                .await
                .is_err()
            {
                tracing::warn!(
                    jobs = self.jobs.len(),
                    "stopped before all jobs were handed back; the server delivers them again"
                );
            }
        }
        self.end_threads().await;
        self.gone.cancel();
        let keepers = async { while self.keepers.join_next().await.is_some() {} };
        if tokio::time::timeout(HAND_BACK, keepers).await.is_err() {
            self.keepers.abort_all();
        }
        self.runner.link.events().flush(LAST_FLUSH).await;
        tracing::info!(worker = %self.runner.worker, report = ?self.report(), "worker stopped");
        self.report()
    }
}

impl RunningWorker {
    /// The jobs are settled; functions that block may still run.
    async fn end_threads(&self) {
        let threads = &self.runner.threads;
        threads.close();
        if tokio::time::timeout(HAND_BACK, threads.ended())
            .await
            .is_err()
        {
            let count = threads.alive();
            tracing::warn!(
                count,
                "stopped while blocking handlers go on; the end of the process ends them"
            );
        }
    }
}

impl Runner {
    /// Takes away what was set for this worker: nobody else has its id.
    pub(super) async fn forget_setting(&self) {
        if !self.steering.is_set() {
            return;
        }
        let forget = async {
            let conn = self.link.lease("forget a setting").await?;
            remove_worker(&conn, &self.link, &self.worker).await
        };
        if let Err(error) = forget.await {
            tracing::debug!(%error, "what was set for the worker is left to expire");
        }
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        self.runner.threads.close();
        self.runner.stopping.cancel();
        self.runner.abort.cancel();
        self.gone.cancel();
    }
}

//! Looks at the server again and again, also when it was gone in between.

use std::time::{Duration, Instant};

use naq::{DeadLetter, Jobs, QueueInfo, Settings, WorkerInfo};

use crate::context::connect;
use crate::error::CliError;

/// Failures that are shown at the most.
const FAILURES: u64 = 20;

/// Time that one look may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A look is followed by a pause of so many times its own length, so that looking is no load.
const PAUSE: u32 = 9;

/// What was seen at one time.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) queues: Vec<QueueInfo>,
    pub(super) workers: Vec<WorkerInfo>,
    /// The newest first.
    pub(super) failures: Vec<DeadLetter>,
}

/// Looks each `interval`.
#[derive(Debug)]
pub(super) struct Feed {
    settings: Settings,
    interval: Duration,
    jobs: Option<Jobs>,
    next: Instant,
}

impl Feed {
    pub(super) fn new(settings: Settings, interval: Duration) -> Self {
        Self {
            settings,
            interval,
            jobs: None,
            next: Instant::now(),
        }
    }

    /// The next look, at its time; or why there is none.
    ///
    /// Safe to drop: the next call begins anew.
    pub(super) async fn next(&mut self) -> Result<Look, CliError> {
        tokio::time::sleep_until(self.next.into()).await;
        let started = Instant::now();
        let seen = tokio::time::timeout(PATIENCE, self.once()).await;
        let pause = self.interval.max(started.elapsed() * PAUSE);
        self.next = Instant::now() + pause.min(PATIENCE);
        match seen {
            Ok(seen) => seen,
            Err(_) => Err(CliError::silent(crate::exit_code::TIMEOUT)),
        }
    }

    async fn once(&mut self) -> Result<Look, CliError> {
        let jobs = match &self.jobs {
            Some(jobs) => jobs.clone(),
            None => {
                let jobs = Box::pin(connect(self.settings.clone())).await?;
                self.jobs.insert(jobs).clone()
            }
        };
        look(&jobs).await
    }

    pub(super) async fn end(self) {
        if let Some(jobs) = self.jobs {
            jobs.shutdown().await;
        }
    }
}

/// One look.
pub(super) async fn look(jobs: &Jobs) -> Result<Look, CliError> {
    let queues = jobs.queues().await?;
    let mut workers = jobs.workers().await?;
    workers.sort_by(|a, b| a.record.worker_id.cmp(&b.record.worker_id));
    Ok(Look {
        at: Instant::now(),
        queues,
        workers,
        failures: jobs.dead_letters().newest(FAILURES).await?,
    })
}

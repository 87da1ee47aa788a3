//! Describes a worker before it runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::handler::{Chain, Registry, States, Threads};
use super::launch::launch;
use super::running::RunningWorker;
use crate::model::QueueName;
use crate::server::{Link, ensure_streams, prepare};
use crate::{JobsError, JobsErrorKind};

/// Describes a worker: its queues, its handlers, how many jobs it runs at the same time.
#[derive(Debug)]
#[must_use = "a worker does nothing before `start`"]
pub struct Worker {
    pub(super) link: Link,
    pub(super) queues: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) concurrency: u32,
    pub(super) registry: Registry,
    pub(super) states: States,
    /// For handlers that block.
    pub(super) threads: Threads,
    pub(super) layers: Option<Chain>,
    /// What was wrong with calls that could not say so.
    pub(super) problems: Vec<String>,
    /// Queues of the registered kinds, taken if no queue is named.
    pub(super) suggested: BTreeSet<String>,
}

/// A worker's description, checked.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) link: Link,
    pub(super) queues: Vec<QueueName>,
    pub(super) name: Option<String>,
    pub(super) concurrency: u32,
    pub(super) registry: Registry,
    pub(super) states: Arc<States>,
    pub(super) threads: Threads,
}

impl Worker {
    pub(crate) fn new(link: Link) -> Self {
        let concurrency = link.settings().workers.concurrency;
        Self {
            link,
            queues: Vec::new(),
            name: None,
            concurrency,
            registry: Registry::default(),
            states: States::default(),
            threads: Threads::new(),
            layers: None,
            problems: Vec::new(),
            suggested: BTreeSet::new(),
        }
    }

    /// Adds a queue. Without any, the worker serves the queues of its kinds, or else the default queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queues.push(queue.into());
        self
    }

    /// Jobs that it runs at the same time, over all its queues; default `workers.concurrency`.
    pub fn concurrency(mut self, jobs: u32) -> Self {
        self.concurrency = jobs;
        self
    }

    /// First part of the worker's id; default `naq-worker-<host>`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Prepares the streams and consumers, and starts to pull.
    ///
    /// # Errors
    /// [`JobsErrorKind::Configuration`] for an impossible description (the message names the key),
    /// [`JobsErrorKind::Connection`] if the server cannot be reached (a retry helps later).
    ///
    /// # Cancel safety
    /// Dropping the future leaves at most a consumer behind that the next start uses.
    pub async fn start(self) -> Result<RunningWorker, JobsError> {
        let plan = self.plan()?;
        let link = &plan.link;
        prepare(link, "prepare the streams", move |_| ensure_streams(link)).await?;
        launch(plan).await
    }

    /// Starts, works until `stop` completes, and stops gracefully inside `workers.shutdown_timeout`.
    ///
    /// # Errors
    /// As [`Self::start`], and [`JobsErrorKind::Connection`] if the connection is lost for good.
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()>,
    ) -> Result<super::tally::StopReport, JobsError> {
        let grace = self.link.settings().workers.shutdown_timeout;
        let mut worker = self.start().await?;
        let told = worker.told_to_stop();
        tokio::select! {
            () = stop => Ok(worker.stop(grace).await),
            () = told => Ok(worker.stop(grace).await),
            error = worker.failed() => {
                worker.stop(std::time::Duration::ZERO).await;
                Err(error)
            }
        }
    }

    fn plan(self) -> Result<Plan, JobsError> {
        let impossible = |text: String| JobsError::new(JobsErrorKind::Configuration, text);
        let mut names = self.queues;
        if names.is_empty() {
            names.extend(self.suggested);
        }
        if names.is_empty() {
            names.push(self.link.settings().queues.default.clone());
        }
        let mut queues: Vec<QueueName> = Vec::new();
        for name in names {
            let queue = QueueName::new(name).map_err(|e| {
                JobsError::new(JobsErrorKind::InvalidName, "name a queue").because(e)
            })?;
            if !queues.contains(&queue) {
                queues.push(queue);
            }
        }
        if !(1..=1000).contains(&self.concurrency) {
            return Err(impossible(format!(
                "run {} jobs at the same time: `workers.concurrency` is 1 to 1000",
                self.concurrency
            )));
        }
        if queues.len() > usize::try_from(self.concurrency).unwrap_or(usize::MAX) {
            return Err(impossible(format!(
                "serve {} queues with {} slots: each queue keeps one; raise `workers.concurrency` or \
                 start more workers",
                queues.len(),
                self.concurrency
            )));
        }
        let problem = self.problems.into_iter().next();
        if let Some(problem) = problem.or_else(|| self.registry.problem(&self.states)) {
            return Err(impossible(problem));
        }
        let mut registry = self.registry;
        if let Some(layers) = &self.layers {
            registry.wrap(layers);
        }
        let slots = usize::try_from(self.concurrency).unwrap_or(usize::MAX);
        self.threads.set_limit(slots);
        Ok(Plan {
            link: self.link,
            queues,
            name: self.name,
            concurrency: self.concurrency,
            registry,
            states: Arc::new(self.states),
            threads: self.threads,
        })
    }
}

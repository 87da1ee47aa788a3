//! Describes a worker before it runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use naq_config::settings::CommandHandler;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::command::CommandJob;
use super::registry::{Function, Registry};
use super::running::{RunningWorker, launch};
use super::{JobContext, JobError};
use crate::model::{Kind, KindName, QueueName};
use crate::server::Link;
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
    /// Queues of the registered kinds, taken if no queue is named.
    suggested: BTreeSet<String>,
}

/// A worker's description, checked.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) link: Link,
    pub(super) queues: Vec<QueueName>,
    pub(super) name: Option<String>,
    pub(super) concurrency: u32,
    pub(super) registry: Registry,
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

    /// Registers an async function for a kind. A second one for the same kind replaces the first.
    pub fn handle<A, R, F, Fut, E>(mut self, kind: Kind<A, R>, handler: F) -> Self
    where
        A: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: Fn(JobContext, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        E: Into<JobError>,
    {
        self.suggested.extend(kind.queue.map(str::to_owned));
        self.registry
            .insert(kind.name(), Arc::new(Function::<F, A, R>::new(handler)));
        self
    }

    /// Registers a program for a kind; see `workers.handlers` in the settings.
    pub fn handle_command(mut self, kind: &KindName, handler: CommandHandler) -> Self {
        self.registry
            .insert(kind.as_str(), Arc::new(CommandJob::new(handler)));
        self
    }

    /// Registers all programs of `workers.handlers`.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] for an impossible kind. A retry does not help.
    pub fn handle_configured_commands(mut self) -> Result<Self, JobsError> {
        for (kind, handler) in self.link.settings().workers.handlers.clone() {
            let kind = KindName::new(kind).map_err(|e| {
                JobsError::new(JobsErrorKind::InvalidName, "read `workers.handlers`").because(e)
            })?;
            self = self.handle_command(&kind, handler);
        }
        Ok(self)
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
        crate::server::ensure_streams(&plan.link).await?;
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
        Ok(Plan {
            link: self.link,
            queues,
            name: self.name,
            concurrency: self.concurrency,
            registry: self.registry,
        })
    }
}

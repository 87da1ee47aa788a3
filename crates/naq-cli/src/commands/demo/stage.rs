//! The stage of the demo: a server and workers of its own, and how they leave.

use std::path::Path;
use std::time::Duration;

use naq::config::settings::QueueOverrides;
use naq::embedded::EmbeddedServer;
use naq::{Jobs, RunningWorker, Settings, StopReport};
use tokio::task::JoinSet;

use super::ledger::Ledger;
use super::work::{LONG_ACK_WAIT, LONG_QUEUE, QUEUE, register};
use crate::context::connect;
use crate::error::CliError;

/// Time that running jobs get when the demo is interrupted.
const GRACE: Duration = Duration::from_secs(2);

/// Server, connection and workers.
#[derive(Debug)]
pub(super) struct Stage {
    server: EmbeddedServer,
    pub(super) jobs: Jobs,
    workers: Vec<RunningWorker>,
}

/// How large the stage is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) workers: u32,
    pub(super) concurrency: u32,
}

impl Stage {
    /// Starts all of it. If the future is dropped, the server ends.
    pub(super) async fn set(
        size: Size,
        store: Option<&Path>,
        ledger: &Ledger,
    ) -> Result<Self, CliError> {
        let mut builder = EmbeddedServer::builder().stop_grace(Duration::from_secs(3));
        if let Some(store) = store {
            builder = builder.store_dir(store);
        }
        let server = Box::pin(builder.start()).await?;
        let jobs = connect(settings(&server)).await?;
        let mut workers = Vec::new();
        for _ in 0..size.workers {
            let worker = jobs
                .worker()
                .queue(QUEUE)
                .queue(LONG_QUEUE)
                .name("naq-demo");
            let worker = register(worker.concurrency(size.concurrency), ledger);
            workers.push(Box::pin(worker.start()).await?);
        }
        Ok(Self {
            server,
            jobs,
            workers,
        })
    }

    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    pub(super) fn version(&self) -> String {
        self.server.version().to_string()
    }

    /// What the workers did so far, by their own count.
    pub(super) fn report(&self) -> StopReport {
        sum(self.workers.iter().map(RunningWorker::report))
    }

    /// The workers finish or hand back, the connection is drained, the server is gone when this returns. Says what
    /// the workers have done.
    pub(super) async fn strike(self) -> (StopReport, Result<(), CliError>) {
        let mut stops = JoinSet::new();
        for worker in self.workers {
            stops.spawn(worker.stop(GRACE));
        }
        let reports = stops.join_all().await;
        self.jobs.shutdown().await;
        let stopped = self.server.stop().await.map_err(CliError::from);
        (sum(reports), stopped)
    }
}

fn sum(reports: impl IntoIterator<Item = StopReport>) -> StopReport {
    let mut sum = StopReport::default();
    for report in reports {
        sum.completed += report.completed;
        sum.failed += report.failed;
        sum.retried += report.retried;
        sum.handed_back += report.handed_back;
        sum.abandoned += report.abandoned;
    }
    sum
}

/// The defaults, on this server. The user's configuration is about other servers.
fn settings(server: &EmbeddedServer) -> Settings {
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    settings.nats.client_name = "naq-demo".to_owned();
    settings.nats.drain_timeout = GRACE;
    let long = QueueOverrides {
        ack_wait: Some(LONG_ACK_WAIT),
        ..QueueOverrides::default()
    };
    settings.queues.configs.insert(LONG_QUEUE.to_owned(), long);
    settings
}

//! What the themes share: a server of their own, jobs on it, and handlers that keep a count.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use naq_config::Settings;
use naq_jobs::{JobContext, JobError, Jobs, Kind};
use naq_testing::TestServer;

/// Time that anything in a test may take. Long, so that a busy machine is no failure.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Returns what it is given.
pub(crate) const ECHO: Kind<serde_json::Value, serde_json::Value> = Kind::new("echo");

/// Shows the logs of a failed test, as `RUST_LOG` asks.
fn show_logs() {
    // Another test of this process may have done it already.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init(),
    );
}

/// A server, and jobs on it.
pub(crate) struct Bed {
    pub(crate) server: TestServer,
    pub(crate) jobs: Jobs,
}

impl Bed {
    /// A fresh server with the tests' settings.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// As [`Self::new`], with other settings.
    pub(crate) async fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        show_logs();
        let server = TestServer::start().await;
        let mut settings = server.settings();
        adjust(&mut settings);
        let jobs = Jobs::connect(settings).await.unwrap();
        Self { server, jobs }
    }

    /// Jobs of another process, so to speak: with connections of their own.
    pub(crate) async fn other(&self, adjust: impl FnOnce(&mut Settings)) -> Jobs {
        let mut settings = self.server.settings();
        adjust(&mut settings);
        Jobs::connect(settings).await.unwrap()
    }

    /// Messages that the server has in the stream of waiting jobs.
    pub(crate) async fn waiting(&self) -> u64 {
        self.server.jsz().await.messages("naq_jobs")
    }
}

/// The echo handler.
pub(crate) async fn echo(
    _: JobContext,
    value: serde_json::Value,
) -> Result<serde_json::Value, JobError> {
    Ok(value)
}

/// Who ran what, in order, over all handlers that share it.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<(String, u32, std::time::Instant)>>>);

impl Ledger {
    /// Notes an attempt.
    pub(crate) fn note(&self, context: &JobContext) {
        let entry = (
            context.id().to_string(),
            context.attempt(),
            std::time::Instant::now(),
        );
        self.0.lock().unwrap().push(entry);
    }

    /// The attempts of one job.
    pub(crate) fn attempts(&self, id: &str) -> Vec<u32> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|e| e.0 == id).map(|e| e.1).collect()
    }

    /// The waits between the attempts of one job.
    pub(crate) fn waits(&self, id: &str) -> Vec<Duration> {
        let all = self.0.lock().unwrap();
        let times: Vec<_> = all.iter().filter(|e| e.0 == id).map(|e| e.2).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The ids in the order in which they started.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|e| e.0.clone()).collect()
    }
}

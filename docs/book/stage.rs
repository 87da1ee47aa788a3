//! Where an example runs: a server of its own, and a service that leads to it.

use std::time::Duration;

use naq::config::settings::NatsSettings;
use naq::connection::ConnectionService;
use naq::{Jobs, JobsError};
use naq_testing::TestServer;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// What the body of an example may fail with.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// No example takes longer, on a busy machine either.
const PATIENCE: Duration = Duration::from_secs(60);
const FAREWELL: Duration = Duration::from_secs(5);

/// What an example is given.
#[derive(Debug)]
pub struct Stage {
    /// The server, to ask it what it saw, to kill it and to start it again.
    pub server: TestServer,
    /// Leads to the server; also the global service of the runtime.
    pub service: ConnectionService,
}

impl Stage {
    /// Where the server listens.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How many connections the server has.
    pub async fn connections(&self) -> usize {
        self.server.connz().await.count()
    }

    /// Jobs on the server.
    ///
    /// # Errors
    /// As [`Jobs::connect`].
    pub async fn jobs(&self) -> Result<Jobs, JobsError> {
        Jobs::connect(self.server.settings()).await
    }

    /// Settings that lead to the server.
    #[must_use]
    pub fn nats(&self) -> NatsSettings {
        self.server.settings().nats
    }
}

/// Runs an example that needs nothing but the global service.
///
/// # Panics
/// When it fails, or takes longer than a minute.
pub fn run(body: impl Future<Output = Result<(), Error>>) {
    run_on(async move |_: &Stage| body.await);
}

/// As [`run`], for an example that looks at the server or at the service.
///
/// # Panics
/// As [`run`].
pub fn run_on(body: impl AsyncFnOnce(&Stage) -> Result<(), Error>) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    };
    runtime.block_on(async {
        let server = TestServer::start().await;
        let service = ConnectionService::new(server.settings().nats);
        if let Err(error) = service.install_global() {
            panic!("the service cannot be installed: {error}");
        }
        let stage = Stage { server, service };
        match timeout(PATIENCE, body(&stage)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("the example failed: {error}"),
            Err(_elapsed) => panic!("the example has not ended within {PATIENCE:?}"),
        }
        stage.service.shutdown(FAREWELL).await;
        stage.server.stop().await;
    });
}

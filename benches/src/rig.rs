//! The server that is measured against, and what it reports.

use naq_config::settings::NatsSettings;
use naq_connection::ConnectionService;
use naq_embedded::EmbeddedServer;

use crate::Outcome;

/// A server of our own.
pub(crate) struct Rig {
    pub(crate) server: EmbeddedServer,
}

impl Rig {
    pub(crate) async fn start() -> Outcome<Self> {
        let server = EmbeddedServer::builder().monitoring(true).start().await?;
        Ok(Self { server })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn service(&self) -> ConnectionService {
        ConnectionService::new(settings(vec![self.url()]))
    }

    /// Client connections ever made, less those of the server's readiness checks.
    pub(crate) async fn connects(&self) -> Outcome<f64> {
        self.total("total_connections").await
    }

    /// A number of `/varz`.
    pub(crate) async fn total(&self, key: &str) -> Outcome<f64> {
        let varz = self.server.monitor("/varz").await?;
        varz[key]
            .as_f64()
            .ok_or_else(|| format!("/varz has no number `{key}`").into())
    }

    /// Waits until no client is connected, so that the next variant starts on an idle server.
    pub(crate) async fn until_idle(&self) -> Outcome<()> {
        let deadline = tokio::time::Instant::now() + IDLE;
        while self.total("connections").await? > 0.0 {
            if tokio::time::Instant::now() > deadline {
                return Err(format!("clients are still connected after {IDLE:?}").into());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

const IDLE: std::time::Duration = std::time::Duration::from_secs(30);

/// The defaults, on these servers.
pub(crate) fn settings(servers: Vec<String>) -> NatsSettings {
    NatsSettings {
        servers,
        client_name: "naq-bench".to_owned(),
        ..NatsSettings::default()
    }
}

/// Lets this process open as many files as the system allows: a thousand connections are more
/// than the usual limit.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it cannot be raised, the row that needs it says so.
    let _as_it_was = setrlimit(Resource::Nofile, limit);
}

//! What the commands talk to.

use std::time::Duration;

use naq::Settings;
use naq::connection::{Connection, ConnectionError, ConnectionService, DEFAULT_PROFILE, StartMode};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;

/// The configured servers, and a service that has not dialled yet.
pub(super) struct Target {
    pub(super) settings: Settings,
    pub(super) service: ConnectionService,
}

impl Target {
    /// Dials take `limit` at the most.
    pub(super) async fn new(context: &Context, limit: Option<Duration>) -> Result<Self, CliError> {
        let settings = context.settings()?;
        let mut nats = settings.nats.clone();
        if let Some(limit) = limit {
            nats.connection_timeout = nats.connection_timeout.min(limit);
        }
        let builder = ConnectionService::builder().profile(DEFAULT_PROFILE, nats);
        // Boxed: the ways of dialling make a large future.
        let service = Box::pin(builder.start(StartMode::Lazy)).await;
        let service = service.map_err(|e| CliError::unreachable(&settings.nats.servers, &e))?;
        Ok(Self { settings, service })
    }

    pub(super) fn unreachable(&self, error: &ConnectionError) -> CliError {
        CliError::unreachable(&self.settings.nats.servers, error)
    }

    /// The servers without their credentials.
    pub(super) fn shown(&self) -> String {
        let servers = self.settings.nats.servers.iter();
        let shown: Vec<_> = servers.map(|url| naq::config::redact_url(url)).collect();
        shown.join(", ")
    }

    /// Nothing is under way any more that would be worth waiting for.
    pub(super) async fn end(self) {
        let _report = self.service.shutdown(Duration::from_secs(1)).await;
    }
}

/// Name and version of the server behind `connection`.
pub(super) fn server_of(connection: &Connection) -> Value {
    let info = connection.server_info();
    json!({
        "name": info.server_name,
        "version": info.version,
        "address": format!("{}:{}", info.host, info.port),
        "cluster": info.cluster,
    })
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

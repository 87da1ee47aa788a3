//! Where it happens: a server, and on it one set of streams for each side.

use std::time::Duration;

use naq::connection::{Connection, ConnectionError, ConnectionService, DEFAULT_PROFILE, StartMode};
use naq::embedded::{EmbeddedCluster, EmbeddedServer};
use naq::{JobId, Jobs, Settings};

use super::args::Args;
use crate::context::{Context, connect};
use crate::error::CliError;

/// Deliveries that may be unanswered at the same time, on both sides.
const MAX_ACK_PENDING: u32 = 50_000;

/// Time for an answer, at least: to purge a million outcomes takes a while.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with the streams of both sides.
#[derive(Debug)]
pub(super) struct Stage {
    host: Host,
    settings: Settings,
    prefix: String,
    /// NAQ's side.
    pub(super) naq: Jobs,
    /// The streams for the raw client: the same settings, another prefix, a connection of its own.
    pub(super) raw: Jobs,
}

#[derive(Debug)]
enum Host {
    Own(EmbeddedServer),
    Cluster(EmbeddedCluster),
    Theirs { flag: Option<String> },
}

impl Stage {
    /// Starts a server unless the user names one, and makes the streams.
    pub(super) async fn set(context: &Context, args: &Args) -> Result<Self, CliError> {
        let (host, mut settings) = host(context, args).await?;
        settings.nats.client_name = "naq-bench".to_owned();
        settings.queues.max_ack_pending = MAX_ACK_PENDING;
        settings.nats.request_timeout = settings.nats.request_timeout.max(PATIENCE);
        if args.cluster {
            settings.queues.replicas = 3;
            settings.results.replicas = 3;
        }
        let id = JobId::generate().as_str().to_lowercase();
        let prefix = format!("naqbench_{id}");
        let side = |prefix: String| {
            let mut settings = settings.clone();
            settings.queues.prefix = prefix;
            Box::pin(connect(settings))
        };
        let naq = side(prefix.clone()).await?;
        let raw = side(format!("{prefix}_raw")).await?;
        Ok(Self {
            host,
            settings,
            prefix,
            naq,
            raw,
        })
    }

    /// Whether a cluster was started here.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.host, Host::Cluster(_))
    }

    /// What the names of all streams begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Settings for streams of their own, for one case of a row.
    pub(super) fn settings_of(&self, case: &str) -> Settings {
        let mut settings = self.settings.clone();
        settings.queues.prefix = format!("{}_{case}", self.prefix);
        settings
    }

    /// NAQ's side again, over another connection.
    pub(super) async fn another(&self) -> Result<Jobs, CliError> {
        Box::pin(connect(self.naq_settings())).await
    }

    pub(super) fn naq_settings(&self) -> Settings {
        let mut settings = self.settings.clone();
        settings.queues.prefix.clone_from(&self.prefix);
        settings
    }

    /// Whether the server was started here.
    pub(super) fn is_ours(&self) -> bool {
        !matches!(self.host, Host::Theirs { .. })
    }

    /// The server that the user named for the benchmark only.
    pub(super) fn server_flag(&self) -> Option<&str> {
        match &self.host {
            Host::Theirs { flag } => flag.as_deref(),
            Host::Own(_) | Host::Cluster(_) => None,
        }
    }

    /// The raw client's side again, over another connection.
    pub(super) async fn another_raw(&self) -> Result<Jobs, CliError> {
        let mut settings = self.settings.clone();
        settings.queues.prefix = self.raw_prefix();
        Box::pin(connect(settings)).await
    }

    /// The prefix of the raw client's streams.
    pub(super) fn raw_prefix(&self) -> String {
        format!("{}_raw", self.prefix)
    }

    pub(super) fn replicas(&self) -> u8 {
        self.settings.queues.replicas
    }

    /// Process ids of the servers that are ours.
    pub(super) fn server_pids(&self) -> Vec<u32> {
        match &self.host {
            Host::Own(server) => server.pid().into_iter().collect(),
            Host::Cluster(cluster) => cluster
                .nodes()
                .iter()
                .filter_map(EmbeddedServer::pid)
                .collect(),
            Host::Theirs { .. } => Vec::new(),
        }
    }

    /// What a server of ours reports on `path`, if there is one.
    pub(super) async fn monitor(&self, path: &str) -> Option<serde_json::Value> {
        match &self.host {
            Host::Own(server) => server.monitor(path).await.ok(),
            Host::Cluster(_) | Host::Theirs { .. } => None,
        }
    }

    /// The server's version.
    pub(super) async fn server_version(&self) -> Result<String, CliError> {
        Ok(lease(&self.naq).await?.server_info().version)
    }

    /// Empties the outcomes of both sides, so that each round starts alike.
    pub(super) async fn tidy(&self) -> Result<(), CliError> {
        self.naq.results().purge().await?;
        self.raw.results().purge().await?;
        Ok(())
    }

    /// Removes what was made; a server of ours is gone when this returns.
    pub(super) async fn strike(self) -> Result<(), CliError> {
        // First, since the last events make streams, too.
        self.naq.shutdown().await;
        self.raw.shutdown().await;
        match self.host {
            Host::Own(server) => server.stop().await?,
            Host::Cluster(cluster) => cluster.stop().await?,
            Host::Theirs { .. } => remove_streams(&self.settings, &self.prefix).await?,
        }
        Ok(())
    }

    /// Removes the streams of one case.
    pub(super) async fn remove(&self, case: &str) -> Result<(), CliError> {
        Box::pin(remove_streams(
            &self.settings,
            &self.settings_of(case).queues.prefix,
        ))
        .await
    }
}

/// A lease on the connection of `jobs`.
pub(super) async fn lease(jobs: &Jobs) -> Result<Connection, CliError> {
    let lease = jobs.connections().connection().await;
    lease.map_err(|error| broken("lease a connection", &error))
}

/// The raw client has failed.
pub(super) fn broken(what: &str, error: &(dyn std::error::Error + 'static)) -> CliError {
    CliError::new(crate::exit_code::CONNECTION, format!("failed to {what}")).because(error)
}

async fn host(context: &Context, args: &Args) -> Result<(Host, Settings), CliError> {
    if args.server.is_some() || context.globals.nats_url.is_some() {
        let settings = context.settings_with(|loader| match &args.server {
            Some(url) => loader.set_by("--server", "nats.servers", url),
            None => loader,
        })?;
        let flag = args.server.clone();
        return Ok((Host::Theirs { flag }, settings));
    }
    let mut settings = Settings::default();
    if args.cluster {
        let cluster = Box::pin(EmbeddedCluster::start(3)).await?;
        // One is enough, none of them ends: so all are connected to the same node.
        settings.nats.servers = cluster.urls().into_iter().take(1).collect();
        return Ok((Host::Cluster(cluster), settings));
    }
    let server = Box::pin(EmbeddedServer::builder().monitoring(true).start()).await?;
    settings.nats.servers = vec![server.url()];
    Ok((Host::Own(server), settings))
}

/// Removes all streams of the random prefix, with which those of the raw client begin, too.
async fn remove_streams(settings: &Settings, prefix: &str) -> Result<(), CliError> {
    let service = ConnectionService::builder().profile(DEFAULT_PROFILE, settings.nats.clone());
    let service = Box::pin(service.start(StartMode::FailFast))
        .await
        .map_err(|error| CliError::unreachable(&settings.nats.servers, &error))?;
    let streams = service.streams();
    let removing = async {
        for name in streams.names(usize::MAX).await? {
            // An object store is a stream with another beginning.
            if name.trim_start_matches("OBJ_").starts_with(prefix) {
                streams.delete(&name).await?;
            }
        }
        Ok::<_, ConnectionError>(())
    };
    let removed = Box::pin(removing).await;
    service.shutdown(settings.nats.drain_timeout).await;
    removed.map_err(|error| broken(&format!("remove the streams of {prefix}"), &error))
}

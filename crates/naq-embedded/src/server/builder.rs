//! Describes a server and starts it.

use std::path::PathBuf;
use std::time::Duration;

use super::handle::EmbeddedServer;
use crate::child::{ClusterConfig, HeldPort, Launch, Ports, RunDir, ServerConfig, Store};
use crate::error::EmbeddedError;
use crate::lookup::{Lookup, ServerBinary};
use crate::supervisor::RestartPolicy;

/// What an embedded server shall be like. Made by [`EmbeddedServer::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing before `start`"]
pub struct Builder {
    lookup: Option<Lookup>,
    store_dir: Option<PathBuf>,
    config: ServerConfig,
    restart_policy: RestartPolicy,
    start_deadline: Duration,
    stop_grace: Duration,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            lookup: None,
            store_dir: None,
            config: ServerConfig {
                server_name: format!("naq-{:08x}", fastrand::u32(..)),
                port: None,
                monitoring: false,
                max_payload: None,
                sync_always: false,
                cluster: None,
                extra: String::new(),
            },
            restart_policy: RestartPolicy::default(),
            start_deadline: Duration::from_secs(10),
            stop_grace: Duration::from_secs(10),
        }
    }

    /// Where to look for the binary. Default: [`Lookup::from_process_env`].
    pub fn lookup(mut self, lookup: Lookup) -> Self {
        self.lookup = Some(lookup);
        self
    }

    /// Keeps the data in this directory, which outlives the server. Default: a temporary directory that is removed
    /// when the server stops, or when this process is gone.
    pub fn store_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.store_dir = Some(path.into());
        self
    }

    /// Listens on this port of 127.0.0.1. Default: a free one, which is kept over restarts.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = Some(port);
        self
    }

    /// Name of the server, in its handshake and its logs. Default: `naq-` and a random number.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.config.server_name = name.into();
        self
    }

    /// Whether the monitoring endpoints (`/varz`, `/connz`, `/jsz`) are served, on a free loopback port. Default: no.
    pub fn monitoring(mut self, on: bool) -> Self {
        self.config.monitoring = on;
        self
    }

    /// Largest message, in bytes. Default: the server's, 1 MiB.
    pub fn max_payload(mut self, bytes: u32) -> Self {
        self.config.max_payload = Some(bytes);
        self
    }

    /// Whether every write is flushed to disk before it is acknowledged: survives a power failure, costs a disk flush
    /// per message. Default: no, which survives a crash of the server but not of the machine (up to 2 minutes).
    pub fn sync_always(mut self, on: bool) -> Self {
        self.config.sync_always = on;
        self
    }

    /// Text in the server's configuration language, put at the end of its configuration file.
    pub fn extra_config(mut self, text: impl Into<String>) -> Self {
        self.config.extra = text.into();
        self
    }

    /// How a server that dies by itself is brought back.
    pub fn restart_policy(mut self, policy: RestartPolicy) -> Self {
        self.restart_policy = policy;
        self
    }

    /// Time that one start may take, recovery of the store included. Default 10 s.
    pub fn start_deadline(mut self, deadline: Duration) -> Self {
        self.start_deadline = deadline;
        self
    }

    /// Time that a graceful stop may take before the server is killed. Default 10 s.
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    pub(crate) fn cluster(mut self, cluster: ClusterConfig) -> Self {
        self.config.cluster = Some(cluster);
        self
    }

    /// Finds the binary, starts it, and waits until it serves JetStream requests.
    ///
    /// # Errors
    /// See [`EmbeddedErrorKind`](crate::EmbeddedErrorKind); the error carries the server's last log lines.
    /// [`EmbeddedError::is_transient`] says whether a retry helps.
    pub async fn start(self) -> Result<EmbeddedServer, EmbeddedError> {
        // Cheap and certain failures first: a look-up may fetch for a minute.
        let run_dir = RunDir::create().map_err(|e| {
            EmbeddedError::system("no temporary directory can be made for the server", e)
        })?;
        let store = match &self.store_dir {
            Some(path) => Store::durable(path)?,
            None => Store::temporary(run_dir.path()),
        };
        let (ports, held) = self.ports()?;
        let binary = self.find().await?;
        let mut launch = Launch {
            binary,
            config: self.config,
            run_dir,
            store,
            ports,
            _held: held,
            start_deadline: self.start_deadline,
            stop_grace: self.stop_grace,
        };
        let mut process = launch.spawn().await?;
        launch.ready(&mut process).await?;
        Ok(EmbeddedServer::supervised(
            launch,
            process,
            self.restart_policy,
        ))
    }

    /// The ports, and those of them that are ours to keep: one that the user chose may be somebody else's.
    fn ports(&self) -> Result<(Ports, Vec<HeldPort>), EmbeddedError> {
        let mut held = Vec::new();
        let mut take = || -> Result<u16, EmbeddedError> {
            let port = HeldPort::take()
                .map_err(|e| EmbeddedError::system("there is no free port for the server", e))?;
            let number = port.number();
            held.push(port);
            Ok(number)
        };
        let client = self.config.port.map_or_else(&mut take, Ok)?;
        let monitoring = self.config.monitoring.then(take).transpose()?;
        Ok((Ports { client, monitoring }, held))
    }

    async fn find(&self) -> Result<ServerBinary, EmbeddedError> {
        let lookup = match &self.lookup {
            Some(lookup) => lookup.clone(),
            None => Lookup::from_process_env(),
        };
        Ok(lookup.find().await?)
    }
}

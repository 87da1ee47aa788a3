//! Several servers of this process that form one JetStream cluster.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::child::{ClusterConfig, HeldPort};
use crate::error::{EmbeddedError, EmbeddedErrorKind};
use crate::server::{Builder, EmbeddedServer};

/// The first election takes 0.3 to 0.6 s, one after a lost leader 4 to 9 s; a busy machine takes longer.
const FORMING: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(20);

/// Servers on loopback ports, routed to each other, each with its own store and monitoring.
#[derive(Debug)]
#[must_use = "dropping it ends its servers"]
pub struct EmbeddedCluster {
    nodes: Vec<EmbeddedServer>,
    /// Of the routes. After the servers, so that they outlive them.
    _held: Vec<HeldPort>,
}

impl EmbeddedCluster {
    /// Starts `size` servers (three for R3) with temporary stores and waits until they have elected a leader and all
    /// are current.
    ///
    /// # Errors
    /// As [`Builder::start`]; [`EmbeddedErrorKind::NotReady`] if the cluster does not form.
    pub async fn start(size: usize) -> Result<Self, EmbeddedError> {
        Self::start_with(size, |_, builder| builder).await
    }

    /// As [`start`](Self::start); `adjust` is given each node's number and builder.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(
        size: usize,
        adjust: impl Fn(usize, Builder) -> Builder,
    ) -> Result<Self, EmbeddedError> {
        let held = (0..size).map(|_| HeldPort::take());
        let held: Vec<HeldPort> = held
            .collect::<Result<_, _>>()
            .map_err(|e| EmbeddedError::system("no free ports for the cluster's routes", e))?;
        let ports: Vec<u16> = held.iter().map(HeldPort::number).collect();
        let name = format!("naq-{:08x}", fastrand::u32(..));
        let mut nodes = Vec::with_capacity(size);
        for (number, port) in ports.iter().enumerate() {
            let cluster = ClusterConfig {
                name: name.clone(),
                port: *port,
                // Without itself: the server takes the number of routes for the number of its peers.
                routes: ports.iter().copied().filter(|p| p != port).collect(),
            };
            let builder = EmbeddedServer::builder()
                .server_name(format!("{name}-{number}"))
                .monitoring(true)
                .cluster(cluster);
            // One after the other costs 10 ms each: a node is up before its peers are.
            nodes.push(adjust(number, builder).start().await?);
        }
        let cluster = Self { nodes, _held: held };
        cluster.wait_until_current(FORMING).await?;
        Ok(cluster)
    }

    /// The servers, in the order of their numbers.
    pub fn nodes(&self) -> &[EmbeddedServer] {
        &self.nodes
    }

    /// The server with this number.
    ///
    /// # Panics
    /// If there is none.
    pub fn node(&self, number: usize) -> &EmbeddedServer {
        &self.nodes[number]
    }

    /// The client URLs of all servers.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(EmbeddedServer::url).collect()
    }

    /// Number of the server that leads the cluster's metadata, if a running server knows one.
    pub async fn leader(&self) -> Option<usize> {
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            if let Ok(jsz) = node.monitor("/jsz").await
                && let Some(leader) = jsz["meta_cluster"]["leader"].as_str()
                && let Some(number) = self.nodes.iter().position(|n| n.name() == leader)
            {
                return Some(number);
            }
        }
        None
    }

    /// Waits until every running server is healthy and the leader counts all `size` servers, those that run as
    /// current.
    ///
    /// # Errors
    /// [`EmbeddedErrorKind::NotReady`] after `deadline`, with what was missing. A retry may help.
    pub async fn wait_until_current(&self, deadline: Duration) -> Result<(), EmbeddedError> {
        let end = Instant::now() + deadline;
        loop {
            let Err(missing) = self.check().await else {
                return Ok(());
            };
            if Instant::now() >= end {
                return Err(EmbeddedError::new(
                    EmbeddedErrorKind::NotReady,
                    format!("the cluster was not current within {deadline:?}: {missing}"),
                ));
            }
            sleep(POLL).await;
        }
    }

    async fn check(&self) -> Result<(), String> {
        let running = || self.nodes.iter().filter(|node| node.is_running());
        for node in running() {
            let health = node.monitor("/healthz").await;
            health.map_err(|e| format!("{}: {e}", node.name()))?;
        }
        let Some(leader) = self.leader().await else {
            return Err("no leader yet".to_owned());
        };
        let jsz = self.nodes[leader].monitor("/jsz").await;
        let jsz = jsz.map_err(|e| e.to_string())?;
        let meta = &jsz["meta_cluster"];
        if meta["cluster_size"] != self.nodes.len() {
            return Err(format!(
                "the leader counts {} servers",
                meta["cluster_size"]
            ));
        }
        let replicas = meta["replicas"].as_array().cloned().unwrap_or_default();
        for node in running().filter(|node| node.name() != self.nodes[leader].name()) {
            let current = replicas
                .iter()
                .any(|r| r["name"] == node.name() && r["current"] == true);
            if !current {
                return Err(format!("{} is not current", node.name()));
            }
        }
        Ok(())
    }

    /// Stops all servers, as [`EmbeddedServer::stop`] does, and removes their temporary stores.
    ///
    /// # Errors
    /// The first of the servers' errors; the others are stopped all the same.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let mut outcome = Ok(());
        for node in self.nodes {
            outcome = outcome.and(node.stop().await);
        }
        outcome
    }
}

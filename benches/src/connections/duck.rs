//! Two nodes, of which one sends its clients away.

use std::time::Duration;

use naq_connection::ConnectionService;
use naq_embedded::{EmbeddedCluster, EmbeddedServer};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::requests::{LIMIT, answer, until_answered};
use crate::Outcome;
use crate::raw;
use crate::rig::settings;

/// The server refuses less than 30 s in all; with few clients it ends long before.
const SHORT: &str = "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"1s\"\n";
const END: Duration = Duration::from_secs(60);

pub(super) struct Pond {
    cluster: EmbeddedCluster,
    pub(super) service: ConnectionService,
    leaving: usize,
    answering: JoinSet<Outcome<()>>,
}

impl Pond {
    /// A service on one of the nodes, and somebody who answers requests on the other one.
    pub(super) async fn start() -> Outcome<Self> {
        let cluster = EmbeddedCluster::start_with(2, |_, node| node.extra_config(SHORT)).await?;
        let service = ConnectionService::new(settings(cluster.urls()));
        let ours = service.connection().await?.server_info().server_name;
        let leaving = usize::from(cluster.node(1).name() == ours);
        let mut answering = JoinSet::new();
        answering.spawn(answer(
            raw::connect(&cluster.node(1 - leaving).url()).await?,
        ));
        let pond = Self {
            leaving,
            cluster,
            service,
            answering,
        };
        until_answered(&raw::connect(&pond.leaving().url()).await?).await?;
        Ok(pond)
    }

    /// The node that the service is connected to.
    pub(super) fn leaving(&self) -> &EmbeddedServer {
        self.cluster.node(self.leaving)
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.cluster.urls()
    }

    /// Has the node leave, and waits until it is gone and what was asked at the end had its time.
    pub(super) async fn leave(&self) -> Outcome<()> {
        self.leaving().lame_duck().await?;
        let deadline = Instant::now() + END;
        while self.leaving().is_running() {
            if Instant::now() > deadline {
                return Err(format!("the node has not ended within {END:?}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        sleep(LIMIT).await;
        Ok(())
    }

    pub(super) async fn stop(mut self) -> Outcome<()> {
        self.service.shutdown(Duration::from_secs(5)).await;
        self.answering.shutdown().await;
        Ok(self.cluster.stop().await?)
    }
}

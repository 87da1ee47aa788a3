//! Where the workload runs: one server or three, and what is done to them.

use std::time::Duration;

use fastrand::Rng;
use naq_config::Settings;
use naq_embedded::EmbeddedServer;
use naq_jobs::Jobs;
use naq_testing::{TestCluster, TestServer};

use crate::crash::leader_of;

/// The servers of a soak test.
pub(super) enum Ground {
    One(TestServer),
    Three(TestCluster),
}

/// What is done to a server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Blow {
    /// SIGKILL, and a new start.
    Kill,
    /// SIGSTOP, and SIGCONT.
    Freeze,
    /// The jobs get another leader, well.
    Move,
}

impl Ground {
    pub(super) fn settings(&self) -> Settings {
        match self {
            Self::One(server) => server.settings(),
            Self::Three(cluster) => cluster.settings(),
        }
    }

    pub(super) fn urls(&self) -> String {
        match self {
            Self::One(server) => server.url(),
            Self::Three(cluster) => cluster.urls().join(","),
        }
    }

    pub(super) fn replicas(&self) -> &'static str {
        match self {
            Self::One(_) => "1",
            Self::Three(_) => "3",
        }
    }

    pub(super) fn draw(&self, rng: &mut Rng) -> Blow {
        match (self, rng.u8(0..6)) {
            (Self::Three(_), 0 | 1) => Blow::Move,
            (_, 2 | 3) => Blow::Freeze,
            _ => Blow::Kill,
        }
    }

    /// Strikes the server that leads the jobs, and heals it after `pause`.
    pub(super) async fn strike(&self, jobs: &Jobs, blow: Blow, pause: Duration) {
        let node: &EmbeddedServer = match self {
            Self::One(server) => server,
            Self::Three(cluster) => cluster.node(leader_of(jobs, cluster).await),
        };
        match blow {
            Blow::Kill => {
                node.kill().await.unwrap();
                tokio::time::sleep(pause).await;
                node.start_again().await.unwrap();
            }
            Blow::Freeze => {
                node.pause().await.unwrap();
                tokio::time::sleep(pause).await;
                node.resume().unwrap();
            }
            Blow::Move => {
                let conn = jobs.connections().connection().await.unwrap();
                // Should it be refused, the leader stays: no blow.
                drop(
                    conn.request("$JS.API.STREAM.LEADER.STEPDOWN.naq_jobs", "")
                        .await,
                );
            }
        }
    }
}

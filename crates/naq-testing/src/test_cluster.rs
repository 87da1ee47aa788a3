//! Several servers for one test.

use std::ops::Deref;

use naq_config::Settings;
use naq_embedded::{Builder, EmbeddedCluster};

use crate::report::{Connz, Jsz, Varz};
use crate::test_settings::{START, settings};

/// Three servers that form one JetStream cluster, so that streams with three copies work. Kill and restart single
/// nodes through [`EmbeddedCluster`], to which it derefs. A start takes about a second.
#[derive(Debug)]
#[must_use = "dropping it ends its servers"]
pub struct TestCluster(EmbeddedCluster);

impl TestCluster {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no usable nats-server or the cluster does not form; the message says what to do.
    pub async fn start() -> Self {
        let patient = |_, node: Builder| node.start_deadline(START);
        match EmbeddedCluster::start_with(3, patient).await {
            Ok(cluster) => Self(cluster),
            Err(e) => panic!("this test needs a cluster of nats-servers: {e}"),
        }
    }

    /// Settings that point at all nodes and keep three copies.
    pub fn settings(&self) -> Settings {
        settings(self.urls(), 3)
    }

    /// The open client connections of one node.
    ///
    /// # Panics
    /// If the node does not answer, as while it is down.
    pub async fn connz(&self, node: usize) -> Connz {
        Connz::of(self.node(node)).await
    }

    /// The totals of one node.
    ///
    /// # Panics
    /// As [`connz`](Self::connz).
    pub async fn varz(&self, node: usize) -> Varz {
        Varz::of(self.node(node)).await
    }

    /// The streams and consumers that one node holds.
    ///
    /// # Panics
    /// As [`connz`](Self::connz).
    pub async fn jsz(&self, node: usize) -> Jsz {
        Jsz::of(self.node(node)).await
    }

    /// Ends all nodes gracefully and removes their stores.
    ///
    /// # Panics
    /// If a supervisor has died.
    pub async fn stop(self) {
        if let Err(e) = self.0.stop().await {
            panic!("the test cluster does not stop: {e}");
        }
    }
}

impl Deref for TestCluster {
    type Target = EmbeddedCluster;

    fn deref(&self) -> &EmbeddedCluster {
        &self.0
    }
}

//! Three servers as one.

use std::time::{Duration, Instant};

use naq_embedded::{EmbeddedCluster, EmbeddedServer};
use tokio::time::timeout;

use crate::raw;

const SOON: Duration = Duration::from_secs(30);

/// The killed node may have led the stream: nobody answers for it until there is another leader (4 to 9 s).
async fn messages_in_the_end(node: &EmbeddedServer) -> u64 {
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        let asked = timeout(Duration::from_secs(1), raw::messages(node.port(), "R"));
        if let Ok(Some(messages)) = asked.await {
            return messages;
        }
    }
    panic!("no answer for the stream within {SOON:?}");
}

#[tokio::test]
async fn three_nodes_hold_a_replicated_stream_while_one_is_killed_restarted_and_stopped() {
    let cluster = EmbeddedCluster::start(3).await.unwrap();
    assert_eq!(cluster.urls().len(), 3);
    let leader = cluster.leader().await.unwrap();
    raw::make_stream(cluster.node(leader).port(), "R", 3).await;
    raw::publish(cluster.node(leader).port(), "R").await;

    // A node that does not lead: the others go on at once.
    let other = (leader + 1) % 3;
    cluster.node(other).kill().await.unwrap();
    cluster.node(other).start_again().await.unwrap();
    cluster.wait_until_current(SOON).await.unwrap();
    assert_eq!(messages_in_the_end(cluster.node(other)).await, 1);

    cluster.node(other).restart().await.unwrap();
    cluster.wait_until_current(SOON).await.unwrap();
    cluster.node(leader).terminate().await.unwrap();
    cluster.wait_until_current(SOON).await.unwrap();
    assert_ne!(cluster.leader().await.unwrap(), leader);
    cluster.stop().await.unwrap();
}

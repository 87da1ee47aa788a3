//! Three servers as one.

use std::time::Duration;

use naq_embedded::EmbeddedCluster;

use crate::raw;

const SOON: Duration = Duration::from_secs(30);

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
    assert_eq!(
        raw::messages(cluster.node(other).port(), "R").await,
        Some(1)
    );

    cluster.node(other).restart().await.unwrap();
    cluster.wait_until_current(SOON).await.unwrap();
    cluster.node(leader).terminate().await.unwrap();
    cluster.wait_until_current(SOON).await.unwrap();
    assert_ne!(cluster.leader().await.unwrap(), leader);
    cluster.stop().await.unwrap();
}

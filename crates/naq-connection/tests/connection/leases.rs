//! Leaving a scope, in every way.

use naq_connection::{ConnectionError, ConnectionService};
use tokio::task::JoinSet;

use crate::{SOON, setup, until};

async fn scope(service: ConnectionService, way: usize) -> Result<(), ConnectionError> {
    let connection = service.connection().await?;
    connection.publish("scopes", "x").await?;
    match way {
        0 => Ok(()),
        1 => connection.publish("not valid", "x").await,
        // As `panic!`, without its message.
        2 => std::panic::resume_unwind(Box::new("as planned")),
        _ => std::future::pending().await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scopes_that_end_in_any_way_leave_no_lease_and_no_connection() {
    let (server, service) = setup().await;
    for way in 0..4 {
        let mut tasks = JoinSet::new();
        for _ in 0..1000 {
            tasks.spawn(scope(service.clone(), way));
        }
        if way == 3 {
            until("all are in their scope", async || service.leases() == 1000).await;
            tasks.abort_all();
        }
        let (mut ok, mut failed, mut panicked, mut cancelled) = (0, 0, 0, 0);
        while let Some(outcome) = tasks.join_next().await {
            match outcome {
                Ok(Ok(())) => ok += 1,
                Ok(Err(_)) => failed += 1,
                Err(error) if error.is_panic() => panicked += 1,
                Err(_) => cancelled += 1,
            }
        }
        let mut expected = [0; 4];
        expected[way] = 1000;
        assert_eq!([ok, failed, panicked, cancelled], expected);
        assert_eq!(service.leases(), 0);
    }
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn clones_and_subscriptions_are_leases_too() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let subscription = connection.subscribe("a.>").await.unwrap();
    let clone = connection.clone();
    assert_eq!(service.leases(), 3);
    drop((connection, clone));
    assert_eq!(service.leases(), 1);
    drop(subscription);
    assert_eq!(service.leases(), 0);
    until("the server forgets the subscription", async || {
        server.connections().await[0]["subscriptions"] == 0
    })
    .await;
}

#[tokio::test]
async fn members_of_a_queue_group_share_the_messages() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut one = connection.queue_subscribe("work", "group").await.unwrap();
    let mut two = connection.queue_subscribe("work", "group").await.unwrap();
    for _ in 0..50 {
        connection.publish("work", "x").await.unwrap();
    }
    connection.flush_confirmed().await.unwrap();
    let mut got = 0;
    while got < 50 {
        let message = async {
            tokio::select! { m = one.next() => m, m = two.next() => m }
        };
        assert!(tokio::time::timeout(SOON, message).await.unwrap().is_some());
        got += 1;
    }
}

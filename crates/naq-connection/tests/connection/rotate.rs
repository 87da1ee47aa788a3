//! Rotation: new connections before the old ones go.

use std::time::Duration;

use futures::future::join_all;
use naq_config::settings::NatsSettings;
use naq_connection::{ConnectionErrorKind, ConnectionService, DEFAULT_PROFILE, EventKind, Lane};
use tokio::time::{Instant, timeout};

use crate::proxy::Proxy;
use crate::requests::Load;
use crate::{PROMPT, SOON, settings, setup, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_under_load_fail_nothing_and_leave_one_connection() {
    let (server, service) = setup().await;
    let other = ConnectionService::new(settings(&server.url()));
    let load = Load::start(&service, other.connection().await.unwrap()).await;
    for _ in 0..10 {
        service.rotate(DEFAULT_PROFILE).await.unwrap();
        load.some_more().await;
    }
    let outcome = load.stop().await;
    println!("{} requests, worst {:?}", outcome.done, outcome.worst);
    assert!(outcome.failed.is_empty(), "{outcome:?}");
    assert!(outcome.worst < Duration::from_secs(1), "{outcome:?}");
    assert_eq!(server.total_connects().await, 1 + 11);
    until("the old ones are closed", async || {
        server.connections().await.len() == 2
    })
    .await;
}

#[tokio::test]
async fn a_lease_stays_on_its_connection_which_is_flushed_and_closed_when_it_comes_back() {
    let (server, service) = setup().await;
    let old = service.connection().await.unwrap();
    let mut news = old.subscribe("news").await.unwrap();
    old.flush_confirmed().await.unwrap();
    let before = old.state();

    service.rotate(DEFAULT_PROFILE).await.unwrap();
    let new = service.connection().await.unwrap();
    assert!(new.state().epoch > before.epoch);
    assert!(old.is_replaced() && !new.is_replaced());
    assert_eq!(old.state(), before, "the old one saw nothing");
    assert_eq!(server.connections().await.len(), 2);
    new.publish("news", "1").await.unwrap();
    let message = timeout(SOON, news.next()).await.unwrap().unwrap();
    assert_eq!(message.payload, "1");

    let in_msgs = server.in_msgs().await;
    for _ in 0..1000 {
        old.publish("last.words", "x").await.unwrap();
    }
    drop((old, news));
    until("the old one is closed", async || {
        server.connections().await.len() == 1
    })
    .await;
    assert!(server.in_msgs().await >= in_msgs + 1000);
    new.flush_confirmed().await.unwrap();
}

#[tokio::test]
async fn a_lease_that_stays_out_sees_a_reconnect_and_keeps_its_subscriptions() {
    let (server, _) = setup().await;
    let service = ConnectionService::new(NatsSettings {
        drain_timeout: Duration::from_millis(200),
        ..settings(&server.url())
    });
    let old = service.connection().await.unwrap();
    let mut news = old.subscribe("news").await.unwrap();
    let before = old.state();
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    let mut states = old.states();
    let moved = states.wait_for(|s| s.is_connected() && s.epoch > before.epoch);
    let moved = *timeout(SOON, moved).await.unwrap().unwrap();
    let new = service.connection().await.unwrap();
    assert!(moved.epoch > new.state().epoch, "epochs never meet");

    old.flush_confirmed().await.unwrap();
    new.publish("news", "1").await.unwrap();
    let message = timeout(SOON, news.next()).await.unwrap().unwrap();
    assert_eq!(message.payload, "1");
    assert_eq!(server.total_connects().await, 3);
    drop((old, news));
    until("the old one is closed", async || {
        server.connections().await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn rotations_at_the_same_time_share_dials() {
    let (server, service) = setup().await;
    drop(service.connection().await.unwrap());
    let rotations = (0..100).map(|_| service.rotate(DEFAULT_PROFILE));
    for rotation in join_all(rotations).await {
        rotation.unwrap();
    }
    let dialled = server.total_connects().await;
    assert!((2..=3).contains(&dialled), "{dialled}");
}

#[tokio::test]
async fn both_lanes_are_rotated_if_they_are_connected() {
    let (server, service) = setup().await;
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    assert_eq!(server.total_connects().await, 0);
    drop(service.acquire().lane(Lane::Bulk).await.unwrap());
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    drop(service.acquire().await.unwrap());
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    assert_eq!(server.total_connects().await, 2 + 3);
    let error = service.rotate("nobody").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::UnknownProfile);
}

#[tokio::test]
async fn a_rotation_to_a_server_that_is_gone_changes_nothing() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut states = service.watch_state(DEFAULT_PROFILE).unwrap();
    server.kill().await;
    timeout(SOON, states.wait_for(|s| !s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    let error = service.rotate(DEFAULT_PROFILE).await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::Connect);
    server.restart().await;
    timeout(SOON, states.wait_for(|s| s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    connection.flush_confirmed().await.unwrap();
    assert_eq!(server.connections().await.len(), 1);
}

#[tokio::test]
async fn shutdown_flushes_and_reports_connections_that_were_replaced() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    let before = server.in_msgs().await;
    for _ in 0..1000 {
        connection.publish("a", "b").await.unwrap();
    }
    let report = service.shutdown(Duration::from_millis(400)).await;
    assert_eq!(
        (report.leases_outstanding, report.connections_closed),
        (1, 2)
    );
    assert!(report.flushed(), "{report:?}");
    assert!(server.in_msgs().await >= before + 1000);
    assert!(connection.state().is_terminal());
    until("no connection is left", async || {
        server.connections().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_replaced_connection_that_stalls_is_given_up_at_the_drain_timeout() {
    let (server, _) = setup().await;
    let proxy = Proxy::start(server.port()).await;
    let drain_timeout = Duration::from_millis(400);
    let service = ConnectionService::new(NatsSettings {
        drain_timeout,
        stall_timeout: Duration::ZERO,
        ..settings(&proxy.url())
    });
    let old = service.connection().await.unwrap();
    let mut events = service.events();
    let stuck = old.subscribe("stuck").await.unwrap();
    old.flush_confirmed().await.unwrap();
    proxy.stall();
    old.publish("a", "b").await.unwrap();
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    let epoch = old.state().epoch;
    drop((old, stuck));
    let start = Instant::now();
    let closed = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if matches!(event.kind, EventKind::Closed) && event.epoch == epoch {
                return;
            }
        }
    };
    timeout(SOON, closed).await.unwrap();
    let took = start.elapsed();
    assert!(
        took >= drain_timeout.mul_f64(0.9) && took < drain_timeout + PROMPT / 2,
        "{took:?}"
    );
    service
        .connection()
        .await
        .unwrap()
        .flush_confirmed()
        .await
        .unwrap();
}

#[tokio::test]
async fn replaced_connections_leave_nothing_behind_while_the_server_is_down() {
    let (server, service) = setup().await;
    let mut leases = Vec::new();
    for _ in 0..5 {
        leases.push(service.connection().await.unwrap());
        service.rotate(DEFAULT_PROFILE).await.unwrap();
    }
    assert_eq!(server.connections().await.len(), 6);
    let mut states = service.watch_state(DEFAULT_PROFILE).unwrap();
    server.kill().await;
    timeout(SOON, states.wait_for(|s| !s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    drop(leases);
    let report = service.shutdown(SOON).await;
    assert_eq!(report.connections_left, 0, "{report:?}");
    let tasks = tokio::runtime::Handle::current().metrics();
    until("no task is left", async || tasks.num_alive_tasks() == 0).await;
}

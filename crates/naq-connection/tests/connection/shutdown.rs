//! The end of the service.

use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::{ConnectionErrorKind, ConnectionService, DEFAULT_PROFILE, Phase, StartMode};
use naq_testing::{Direction, FaultProxy};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::server::TestServer;
use crate::{SOON, once_below, settings, setup, until};

#[tokio::test]
async fn a_backlog_of_20_mb_arrives_whole() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let before = server.varz().await["in_bytes"].as_u64().unwrap();
    let payload = bytes::Bytes::from(vec![7_u8; 20_000]);
    for _ in 0..1000 {
        connection.publish("bulk", payload.clone()).await.unwrap();
    }
    drop(connection);
    let report = service.shutdown(Duration::from_secs(10)).await;
    assert!(report.flushed(), "{report:?}");
    assert_eq!(
        (report.leases_outstanding, report.connections_closed),
        (0, 1)
    );
    let varz = server.varz().await;
    assert_eq!(varz["in_bytes"].as_u64().unwrap() - before, 20_000_000);
    until("no connection is left", async || {
        server.connections().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_backlog_of_20_mb_arrives_whole_through_a_slow_link() {
    let server = TestServer::start().await;
    let proxy = FaultProxy::to(&server.url());
    let service = ConnectionService::new(NatsSettings {
        // The link is slow, not dead: a busy machine can take longer over what the system's buffers hold than an answer may.
        stall_timeout: Duration::ZERO,
        ..settings(&proxy.url())
    });
    let connection = service.connection().await.unwrap();
    proxy.slow(20_000_000, Duration::from_millis(5));
    let before = server.varz().await["in_bytes"].as_u64().unwrap();
    let payload = bytes::Bytes::from(vec![7_u8; 20_000]);
    for _ in 0..1000 {
        connection.publish("bulk", payload.clone()).await.unwrap();
    }
    drop(connection);
    let at_the_end = proxy.bytes(Direction::ToServer);
    assert!(
        at_the_end < 15_000_000,
        "no backlog: {at_the_end} bytes are through"
    );
    let report = service.shutdown(Duration::from_secs(30)).await;
    assert!(report.flushed(), "{report:?}");
    let varz = server.varz().await;
    assert_eq!(varz["in_bytes"].as_u64().unwrap() - before, 20_000_000);
}

#[tokio::test]
async fn nothing_is_leased_after_shutdown_and_a_second_one_reports_the_same() {
    let (_server, service) = setup().await;
    drop(service.connection().await.unwrap());
    let first = service.shutdown(SOON).await;
    assert_eq!(service.shutdown(SOON).await, first);
    let error = service.connection().await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::ShuttingDown);
    assert!(!error.is_transient());
}

#[tokio::test]
async fn shutdown_waits_for_leases() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let work = async {
        until("the door is closed", async || {
            service.connection().await.is_err()
        })
        .await;
        connection.request("nobody", "").await.unwrap_err();
        connection.publish("a", "last words").await.unwrap();
        drop(connection);
    };
    let (report, ()) = tokio::join!(service.shutdown(SOON), work);
    assert_eq!(report.leases_outstanding, 0);
    assert!(report.flushed());
}

#[tokio::test]
async fn leases_that_never_come_back_are_counted_and_end() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    connection.publish("a", "b").await.unwrap();
    let report = service.shutdown(Duration::from_millis(400)).await;
    assert_eq!(
        (report.leases_outstanding, report.connections_closed),
        (1, 1)
    );
    assert!(report.flushed());
    assert_eq!(connection.state().phase, Phase::Closed);
    let error = connection.publish("a", "b").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::Closed);
    until("no connection is left", async || {
        server.connections().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn shutdown_while_the_server_is_down_ends_in_time_and_nothing_dials_afterwards() {
    once_below(Duration::from_secs(1), shutdown_without_a_server).await;
}

/// What a shutdown takes that was given half a second.
async fn shutdown_without_a_server() -> Duration {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    connection.publish("a", "b").await.unwrap();
    server.kill().await;
    let mut states = connection.states();
    timeout(SOON, states.wait_for(|s| !s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    drop(connection);
    let started = Instant::now();
    let report = service.shutdown(Duration::from_millis(500)).await;
    let took = started.elapsed();
    assert_eq!((report.unconfirmed, report.flushed()), (1, false));
    assert_eq!((report.connections_closed, report.connections_left), (1, 0));

    let listener = TcpListener::bind(("127.0.0.1", server.port()))
        .await
        .unwrap();
    let dialled = timeout(Duration::from_secs(1), listener.accept()).await;
    assert!(dialled.is_err(), "somebody still dials");
    let tasks = tokio::runtime::Handle::current().metrics();
    until("no task is left", async || tasks.num_alive_tasks() == 0).await;
    took
}

#[tokio::test]
async fn a_dead_server_is_not_waited_for_when_all_is_confirmed() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    connection.publish("a", "b").await.unwrap();
    connection.flush_confirmed().await.unwrap();
    server.kill().await;
    let mut states = connection.states();
    timeout(SOON, states.wait_for(|s| !s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    drop(connection);
    let report = timeout(SOON, service.shutdown(Duration::from_secs(60)))
        .await
        .unwrap();
    assert!(report.flushed());
}

#[tokio::test]
async fn a_dial_under_way_ends_with_the_service() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let service = ConnectionService::new(settings(&url));
    let shutdown = async {
        let _dialled = listener.accept().await.unwrap();
        service.shutdown(SOON).await
    };
    let both = async { tokio::join!(service.connection(), shutdown) };
    let (lease, report) = timeout(SOON, both).await.unwrap();
    assert_eq!(
        *lease.unwrap_err().kind(),
        ConnectionErrorKind::ShuttingDown
    );
    assert_eq!(report.connections_closed, 0);
}

#[tokio::test]
async fn a_limit_that_no_clock_can_hold_means_none() {
    let server = TestServer::start().await;
    let service = ConnectionService::builder()
        .profile(DEFAULT_PROFILE, settings(&server.url()))
        .start(StartMode::WaitUntil(Duration::MAX))
        .await
        .unwrap();
    let connection = service.connection().await.unwrap();
    connection
        .flush_confirmed_within(Duration::MAX)
        .await
        .unwrap();
    drop(connection);
    let own = service.exclusive(DEFAULT_PROFILE).await;
    assert!(own.unwrap().close(Duration::MAX).await.closed);
    assert_eq!(service.shutdown(Duration::MAX).await.connections_left, 0);
}

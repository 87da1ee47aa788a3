//! What much use costs: connections, sockets, memory, time.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use naq_connection::{ConnectionError, ConnectionService};

use crate::server::TestServer;
use crate::sockets::open_to;
use crate::{behind_a_proxy, settings, setup, until};

#[tokio::test]
async fn a_hundred_publishes_in_one_scope_are_one_connection() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    for _ in 0..100 {
        connection.publish("scope", "x").await.unwrap();
    }
    connection.flush_confirmed().await.unwrap();
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn five_thousand_scopes_one_after_the_other_and_at_once_use_one_socket() {
    let (server, service, proxy) = behind_a_proxy().await;
    let scope = async || {
        let connection = service.connection().await?;
        connection.publish("scopes", "x").await
    };
    for _ in 0..4000 {
        scope().await.unwrap();
    }
    try_join_all((0..1000).map(|_| scope())).await.unwrap();
    assert_eq!(service.leases(), 0);
    assert_eq!((open_to(proxy.port()), proxy.taken()), (1, 1));
    service
        .connection()
        .await
        .unwrap()
        .flush_confirmed()
        .await
        .unwrap();
    assert_eq!(server.total_connects().await, 1);
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

/// So many clients, each of a service of its own.
async fn clients(server: &TestServer, count: usize) -> Vec<ConnectionService> {
    let clients = (0..count).map(|_| async {
        let service = ConnectionService::new(settings(&server.url()));
        service.connection().await?;
        Ok::<_, ConnectionError>(service)
    });
    try_join_all(clients).await.unwrap()
}

#[tokio::test]
async fn a_thousand_clients_need_less_than_100_mb_and_leave_no_socket() {
    let server = TestServer::start().await;
    let before = resident_kib();
    let mut all = Vec::new();
    for _ in 0..10 {
        all.extend(clients(&server, 100).await);
    }
    assert_eq!(server.connections().await.len(), 1000);
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 100 * 1024, "{grown} KiB");
    let closing = all.iter().map(|s| s.shutdown(Duration::from_secs(10)));
    futures::future::join_all(closing).await;
    until("no connection is left", async || {
        server.connections().await.is_empty() && open_to(server.port()) == 0
    })
    .await;
}

#[tokio::test]
async fn fifty_clients_connect_within_a_second() {
    let server = TestServer::start().await;
    let started = Instant::now();
    let _clients = clients(&server, 50).await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_lease_per_operation_beats_a_connection_per_operation() {
    const TIMES: usize = 100;
    let server = TestServer::start().await;
    let shared = ConnectionService::new(settings(&server.url()));
    let (mut leased, mut connected) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TIMES {
        let start = Instant::now();
        confirmed(&shared).await.unwrap();
        leased += start.elapsed();
        let start = Instant::now();
        let own = ConnectionService::new(settings(&server.url()));
        confirmed(&own).await.unwrap();
        connected += start.elapsed();
    }
    // What was asked for is at most one and a half times as long.
    assert!(leased < connected, "{leased:?} against {connected:?}");
}

async fn confirmed(service: &ConnectionService) -> Result<(), ConnectionError> {
    let connection = service.connection().await?;
    connection.publish("one", "x").await?;
    connection.flush_confirmed().await
}

//! What much use costs: connections, sockets, time.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use naq_connection::{ConnectionError, ConnectionService};

use crate::server::TestServer;
use crate::sockets::open_to;
use crate::{behind_a_proxy, once_below, settings};

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
    let metrics = service.metrics();
    let (active, failed) = (metrics.active_connections, metrics.failed_connections);
    assert_eq!((active, failed), (0, 0));
    let (total, had) = (metrics.total_connections, metrics.successful_connections);
    assert_eq!((total, had, metrics.dials), (5000, 5000, 1));
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
async fn fifty_clients_connect_within_a_second() {
    once_below(Duration::from_secs(1), fifty_connects).await;
}

/// What fifty connects take.
async fn fifty_connects() -> Duration {
    let server = TestServer::start().await;
    let started = Instant::now();
    let _clients = clients(&server, 50).await;
    started.elapsed()
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

#[tokio::test]
async fn watching_an_operation_costs_less_than_a_tenth_of_it() {
    const ROUNDS: usize = 30;
    const TIMES: usize = 30;
    let server = TestServer::start().await;
    let service = ConnectionService::new(settings(&server.url()));
    let connection = service.connection().await.unwrap();
    let (mut plain, mut watching) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..TIMES {
            connection.flush_confirmed().await.unwrap();
        }
        plain.push(start.elapsed());
        // What is watched takes no time here, so that what watching takes is not lost in what a round trip varies by.
        let start = Instant::now();
        for _ in 0..TIMES {
            let nothing = std::future::ready(Ok::<_, ConnectionError>(()));
            service.monitor().monitored("flush", nothing).await.unwrap();
        }
        watching.push(start.elapsed());
    }
    // The quickest round of each: what else the machine does only ever adds to a round.
    let (plain, watching) = (plain.iter().min().unwrap(), watching.iter().min().unwrap());
    println!("{plain:?} a round, {watching:?} to watch it");
    assert!(*watching < plain.mul_f64(0.1), "{plain:?} {watching:?}");
    let counted = service.metrics().operations["flush"].succeeded;
    assert_eq!(counted, (ROUNDS * TIMES) as u64);
}

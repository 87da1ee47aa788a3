//! Connections of one owner: nothing is lost and nothing stays, whatever way the owner leaves.

use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::{
    ConnectionErrorKind, ConnectionService, DEFAULT_PROFILE, Exclusive, Operation, StartMode,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::server::TestServer;
use crate::{PROMPT, SOON, settings, setup, until};

/// A service that may have so many exclusive connections.
async fn with_limit(server: &TestServer, limit: usize) -> ConnectionService {
    let settings = NatsSettings {
        connection_timeout: Duration::from_secs(30),
        ..settings(&server.url())
    };
    let builder = ConnectionService::builder().profile(DEFAULT_PROFILE, settings);
    let builder = builder.max_exclusive(limit);
    builder.start(StartMode::Lazy).await.unwrap()
}

async fn publish(connection: &Exclusive, times: usize) {
    for _ in 0..times {
        connection.publish("work", "0123456789").await.unwrap();
    }
}

async fn leave(service: ConnectionService, way: usize) {
    let connection = service.exclusive(DEFAULT_PROFILE).await.unwrap();
    publish(&connection, 100).await;
    match way {
        0 => assert!(connection.close(Duration::from_secs(30)).await.closed),
        1 => drop(connection),
        // As `panic!`, without its message.
        2 => std::panic::resume_unwind(Box::new("as planned")),
        _ => std::future::pending().await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hundred_owners_leave_in_four_ways_and_nothing_is_lost_or_left() {
    let server = TestServer::start().await;
    let other = ConnectionService::new(settings(&server.url()));
    let listener = other.connection().await.unwrap();
    let mut messages = listener.subscribe("work").await.unwrap();
    listener.flush_confirmed().await.unwrap();
    let base = server.sockets();

    let service = with_limit(&server, 400).await;
    let mut tasks = JoinSet::new();
    let cancelled: Vec<_> = (0..400)
        .map(|n| (n % 4, tasks.spawn(leave(service.clone(), n % 4))))
        .filter_map(|(way, task)| (way == 3).then_some(task))
        .collect();
    let mut ended = 0;
    while ended < 300 {
        let _outcome = tasks.join_next().await.unwrap();
        ended += 1;
    }
    until("the last hundred have published", async || {
        service.metrics().publish.count == 40_000
    })
    .await;
    cancelled.iter().for_each(|task| task.abort());
    while tasks.join_next().await.is_some() {}

    let report = service.shutdown(Duration::from_secs(10)).await;
    assert_eq!(
        (report.unconfirmed, report.connections_left),
        (0, 0),
        "{report:?}"
    );
    assert_eq!(report.leases_outstanding, 0);
    let mut arrived = 0;
    while arrived < 40_000 {
        let message = timeout(SOON, messages.next()).await;
        assert!(
            message.is_ok_and(|m| m.is_some()),
            "{arrived} of 40000 arrived"
        );
        arrived += 1;
    }
    until("no connection is left", async || {
        server.connections().await.len() == 1 && server.sockets() == base
    })
    .await;
    assert_eq!(service.metrics().active_connections, 0);
}

#[tokio::test]
async fn with_the_server_down_no_task_and_no_attempt_outlives_the_shutdown() {
    let server = TestServer::start().await;
    let service = with_limit(&server, 64).await;
    let mut owned = Vec::new();
    for _ in 0..20 {
        let connection = service.exclusive(DEFAULT_PROFILE).await.unwrap();
        publish(&connection, 10).await;
        owned.push(connection);
    }
    server.kill().await;
    for connection in &owned {
        let mut states = connection.states();
        timeout(SOON, states.wait_for(|s| !s.is_connected()))
            .await
            .unwrap()
            .unwrap();
    }
    drop(owned);
    let started = Instant::now();
    let report = service.shutdown(Duration::from_millis(500)).await;
    assert!(started.elapsed() < PROMPT);
    assert_eq!(
        (report.unconfirmed, report.connections_left),
        (200, 0),
        "{report:?}"
    );
    let listener = TcpListener::bind(("127.0.0.1", server.port()))
        .await
        .unwrap();
    let dialled = timeout(Duration::from_secs(1), listener.accept()).await;
    assert!(dialled.is_err(), "somebody still dials");
    let tasks = tokio::runtime::Handle::current().metrics();
    until("no task is left", async || tasks.num_alive_tasks() == 0).await;
}

#[tokio::test]
async fn an_exclusive_connection_is_one_more_and_close_waits_for_its_end() {
    let (server, service) = setup().await;
    let shared = service.connection().await.unwrap();
    let own = service.exclusive(DEFAULT_PROFILE).await.unwrap();
    let names: Vec<_> = server
        .connections()
        .await
        .iter()
        .map(|c| c["name"].clone())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names.contains(&"naq-client (exclusive)".into()),
        "{names:?}"
    );
    publish(&own, 1000).await;
    let before = server.in_msgs().await;
    let report = own.close(SOON).await;
    assert_eq!((report.closed, report.unconfirmed), (true, 0));
    assert!(server.in_msgs().await - before <= 1001);
    until("it is gone", async || server.connections().await.len() == 1).await;
    shared.flush_confirmed().await.unwrap();
    assert_eq!(service.leases(), 1);
}

#[tokio::test]
async fn the_limit_holds_until_the_earlier_ones_are_closed_and_a_turn_has_a_deadline() {
    let server = TestServer::start().await;
    let settings = NatsSettings {
        connection_timeout: Duration::from_millis(300),
        ..settings(&server.url())
    };
    let builder = ConnectionService::builder().profile(DEFAULT_PROFILE, settings);
    let service = builder
        .max_exclusive(2)
        .start(StartMode::Lazy)
        .await
        .unwrap();
    let first = service.exclusive(DEFAULT_PROFILE).await.unwrap();
    let _second = service.exclusive(DEFAULT_PROFILE).await.unwrap();
    let error = service.exclusive(DEFAULT_PROFILE).await.unwrap_err();
    let operation = Operation::Start;
    assert_eq!(*error.kind(), ConnectionErrorKind::Deadline { operation });
    publish(&first, 10).await;
    drop(first);
    until("there is a place again", async || {
        assert!(server.connections().await.len() <= 2);
        service.exclusive(DEFAULT_PROFILE).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_users_of_a_pool_of_five_make_five_connections() {
    let server = TestServer::start().await;
    let service = with_limit(&server, 64).await;
    let pool = service.exclusive_pool(DEFAULT_PROFILE, 5).unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let connection = pool.get(Duration::from_secs(60)).await.unwrap();
            connection.publish("work", "x").await.unwrap();
            connection.flush_confirmed().await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert!((1..=5).contains(&server.total_connects().await));
    assert_eq!(service.leases(), 0);
    let kept = server.connections().await.len();
    let reports = pool.close(SOON).await;
    assert_eq!(reports.len(), kept);
    assert!(
        reports
            .iter()
            .all(|report| report.closed && report.unconfirmed == 0)
    );
    until("all are closed", async || {
        server.connections().await.is_empty()
    })
    .await;
    let error = pool.get(SOON).await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::Closed);
}

#[tokio::test]
async fn users_of_a_pool_wait_in_line_and_not_for_ever() {
    let (_server, service) = setup().await;
    let pool = service.exclusive_pool(DEFAULT_PROFILE, 1).unwrap();
    let held = pool.get(SOON).await.unwrap();
    let error = pool.get(Duration::from_millis(20)).await.unwrap_err();
    let operation = Operation::Start;
    assert_eq!(*error.kind(), ConnectionErrorKind::Deadline { operation });
    let order = std::sync::Mutex::new(Vec::new());
    let user = async |n: usize| {
        let _connection = pool.get(SOON).await.unwrap();
        order.lock().unwrap().push(n);
    };
    let release = async {
        tokio::task::yield_now().await;
        drop(held);
    };
    tokio::join!(user(0), user(1), user(2), release);
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
}

#[tokio::test]
async fn a_pool_replaces_a_connection_that_has_ended() {
    let server = TestServer::start().await;
    let service = ConnectionService::new(NatsSettings {
        max_reconnect_attempts: Some(0),
        ..settings(&server.url())
    });
    let pool = service.exclusive_pool(DEFAULT_PROFILE, 1).unwrap();
    let broken = pool.get(SOON).await.unwrap();
    let mut states = broken.states();
    drop(broken);
    server.restart().await;
    timeout(SOON, states.wait_for(|s| s.is_terminal()))
        .await
        .unwrap()
        .unwrap();
    let connection = pool.get(SOON).await.unwrap();
    connection.publish("a", "b").await.unwrap();
    connection.flush_confirmed().await.unwrap();
    assert_eq!(server.connections().await.len(), 1);
}

#[tokio::test]
async fn shutdown_closes_what_a_pool_keeps_without_waiting_for_it() {
    let (server, service) = setup().await;
    let pool = service.exclusive_pool(DEFAULT_PROFILE, 2).unwrap();
    drop(pool.get(SOON).await.unwrap());
    let started = Instant::now();
    let report = service.shutdown(Duration::from_secs(60)).await;
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(
        (report.connections_closed, report.leases_outstanding),
        (1, 0)
    );
    let error = pool.get(SOON).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    until("no connection is left", async || {
        server.connections().await.is_empty()
    })
    .await;
}

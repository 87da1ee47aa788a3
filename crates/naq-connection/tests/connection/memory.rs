//! Memory and sockets of a process. Each test runs in one of its own, where nothing else takes memory.

use std::process::Command;
use std::time::Duration;

use naq_connection::{ConnectionMonitor, ConnectionService, DEFAULT_PROFILE, StartMode};
use tokio::task::JoinSet;

use crate::server::TestServer;
use crate::{settings, setup};

/// Whether this is the process of the test `name`; if not, it runs there first.
fn alone(name: &str) -> bool {
    const ALONE: &str = "NAQ_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let name = format!("memory::{name}");
    let mut test = Command::new(program);
    let test = test.args(["--exact", &name, "--nocapture"]).env(ALONE, "1");
    let outcome = test.output().unwrap();
    let text = String::from_utf8_lossy(&outcome.stdout) + String::from_utf8_lossy(&outcome.stderr);
    assert!(
        outcome.status.success() && text.contains("1 passed"),
        "{text}"
    );
    false
}

#[test]
fn a_million_recorded_connections_cost_no_memory() {
    if !alone("a_million_recorded_connections_cost_no_memory") {
        return;
    }
    let monitor = ConnectionMonitor::new();
    let record = |times: u32| {
        for n in 0..times {
            let took = Duration::from_micros(u64::from(n));
            drop(monitor.connecting("p").succeeded_in(took));
            monitor.operation("o").succeeded();
        }
    };
    record(1000);
    let before = resident();
    record(1_000_000);
    let grown = resident().saturating_sub(before);
    // Kept one by one, the times alone would be 8 MB.
    assert!(grown < 1_000_000, "{grown} bytes");
    let metrics = monitor.metrics();
    assert_eq!(
        (metrics.total_connections, metrics.active_connections),
        (1_001_000, 0)
    );
    assert_eq!(metrics.dial.max, Duration::from_micros(999_999));
}

/// Bytes of memory that this process has in use.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_usize) * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_scopes_keep_sockets_and_memory_flat() {
    if !alone("thousands_of_scopes_keep_sockets_and_memory_flat") {
        return;
    }
    let (server, service) = setup().await;
    let round = async || {
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let service = service.clone();
            tasks.spawn(async move {
                for _ in 0..100 {
                    let connection = service.connection().await.unwrap();
                    connection.publish("scope", "x").await.unwrap();
                    connection.flush_confirmed().await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        (
            server.sockets(),
            server.total_connects().await,
            service.leases(),
        )
    };
    round().await;
    let memory = resident();
    for _ in 0..4 {
        assert_eq!(round().await, (1, 1, 0));
    }
    let grown = resident().saturating_sub(memory);
    assert!(grown < 5_000_000, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_cost_less_than_100_mb() {
    if !alone("a_thousand_connections_cost_less_than_100_mb") {
        return;
    }
    let server = TestServer::start().await;
    let service = ConnectionService::builder()
        .profile(DEFAULT_PROFILE, settings(&server.url()))
        .max_exclusive(1000)
        .start(StartMode::Lazy)
        .await
        .unwrap();
    let memory = resident();
    let mut connections = Vec::new();
    for _ in 0..1000 {
        connections.push(service.exclusive(DEFAULT_PROFILE).await.unwrap());
    }
    let grown = resident().saturating_sub(memory);
    assert!(grown < 100_000_000, "{grown} bytes");
    assert_eq!(
        (server.sockets(), service.metrics().active_connections),
        (1000, 1000)
    );
    drop(connections);
    let report = service.shutdown(Duration::from_secs(30)).await;
    assert_eq!((report.connections_left, server.sockets()), (0, 0));
}

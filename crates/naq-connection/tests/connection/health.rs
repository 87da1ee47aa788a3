//! Whether the connection works: asked, waited for, measured.

use std::time::Duration;

use naq_config::Secret;
use naq_connection::{
    ConnectionError, ConnectionErrorKind, ConnectionService, DEFAULT_PROFILE, Failure, HealthState,
    Operation, Phase, measure_connection_performance, probe, probe_within, test_nats_connection,
    wait_for_nats_connection,
};
use naq_testing::TestServer as Pausable;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::records::Log;
use crate::server::TestServer;
use crate::{PROMPT, SOON, once_below, settings, setup, until};

pub(crate) const REFUSED: &str = "nats://127.0.0.1:1";
pub(crate) const SHORT: Duration = Duration::from_millis(300);
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// A port that accepts and never says a word.
async fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A connected service whose server has just stopped answering.
pub(crate) async fn paused() -> (Pausable, ConnectionService) {
    let server = Pausable::start().await;
    let service = ConnectionService::new(settings(&server.url()));
    assert!(test_nats_connection(&service).await);
    server.pause().await.unwrap();
    (server, service)
}

fn cause(error: &ConnectionError) -> &ConnectionErrorKind {
    let source = std::error::Error::source(error).unwrap();
    source.downcast_ref::<ConnectionError>().unwrap().kind()
}

pub(crate) const SILENT: ConnectionErrorKind = ConnectionErrorKind::Deadline {
    operation: Operation::Flush,
};

#[tokio::test]
async fn a_probe_asks_the_connection_that_is_there() {
    let (server, service) = setup().await;
    let lease = service.connection().await.unwrap();
    let before = std::time::SystemTime::now();
    let health = probe(&service, DEFAULT_PROFILE).await;
    assert_eq!((health.state, health.epoch), (HealthState::Healthy, 1));
    assert!(health.last_error.is_none() && health.checked_at >= before);
    assert!(health.rtt.unwrap() > Duration::ZERO && health.rtt.unwrap() < PROMPT);
    server.restart().await;
    let mut states = lease.states();
    states.wait_for(|s| s.epoch == 2).await.unwrap();
    assert_eq!(probe(&service, DEFAULT_PROFILE).await.epoch, 2);
    drop(lease);
    assert_eq!(service.leases(), 0);
    assert_eq!(server.connections().await.len(), 1);
    let unknown = probe(&service, "nobody").await.last_error.unwrap();
    assert_eq!(*unknown.kind(), ConnectionErrorKind::UnknownProfile);
}

#[tokio::test]
async fn a_probe_of_a_stalled_server_is_unhealthy_at_its_deadline() {
    once_below(SHORT * 2, probe_of_a_stalled_server).await;
}

/// What a probe takes that was given a short deadline.
async fn probe_of_a_stalled_server() -> Duration {
    let (server, service) = paused().await;
    let start = Instant::now();
    let health = probe_within(&service, DEFAULT_PROFILE, SHORT).await;
    let took = start.elapsed();
    assert!(took >= SHORT, "{took:?}");
    assert_eq!((health.state, health.rtt), (HealthState::Unhealthy, None));
    assert_eq!(*health.last_error.unwrap().kind(), SILENT);
    server.resume().unwrap();
    assert!(probe(&service, DEFAULT_PROFILE).await.is_healthy());
    took
}

#[tokio::test]
async fn the_connection_test_is_a_bool_in_bounded_time_whatever_the_server_does() {
    once_below(Duration::from_millis(5500), tests_of_bad_servers).await;
}

/// What the tests of all kinds of bad servers take together.
async fn tests_of_bad_servers() -> Duration {
    let (server, live) = setup().await;
    let guarded = TestServer::start_with("authorization { user: alice, password: s3cret }").await;
    let mut wrong = settings(&guarded.url());
    wrong.auth.username = Some("alice".to_owned());
    wrong.auth.password = Some(Secret::new("wr0ng"));
    let mut tls = settings(&server.url());
    tls.tls.enabled = true;
    // With the default `connection_timeout` of ten seconds.
    let (_listener, silent) = black_hole().await;
    let bad = [settings(REFUSED), wrong, tls, settings(&silent)].map(ConnectionService::new);
    let start = Instant::now();
    let tests = bad.iter().map(test_nats_connection);
    assert_eq!(futures::future::join_all(tests).await, [false; 4]);
    let took = start.elapsed();
    assert!(test_nats_connection(&live).await);
    took
}

#[tokio::test]
async fn a_failed_connection_test_is_one_error_record() {
    let (server, service) = setup().await;
    let lease = service.connection().await.unwrap();
    server.kill().await;
    let mut states = lease.states();
    states.wait_for(|s| !s.is_connected()).await.unwrap();
    let (log, _guard) = Log::start();
    assert!(!test_nats_connection(&service).await);
    let errors = log.ours("ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let text = "NATS connection test failed: not connected: ";
    assert!(errors[0].contains(text), "{errors:#?}");
}

#[tokio::test]
async fn who_waits_for_a_server_that_starts_late_goes_on_at_once() {
    once_below(Duration::from_millis(1500), late_start).await;
}

/// From the start of the server to the end of the wait.
async fn late_start() -> Duration {
    let (server, service) = setup().await;
    server.kill().await;
    let reason = Failure::Dial;
    let start = async {
        until("a dial has failed", async || {
            let state = service.state_of(DEFAULT_PROFILE).unwrap();
            state.phase == Phase::Failed { reason }
        })
        .await;
        server.restart().await;
        Instant::now()
    };
    let (waited, started) = tokio::join!(wait_for_nats_connection(&service, SOON), start);
    waited.unwrap();
    let took = started.elapsed();
    assert_eq!(service.leases(), 0);
    took
}

#[tokio::test]
async fn who_waits_in_vain_learns_why_at_the_deadline() {
    let limit = Duration::from_secs(1);
    let wait = async |service: &ConnectionService| {
        let half = Duration::from_millis(500);
        let mut told = None;
        once_below(limit + half, async || {
            let start = Instant::now();
            let error = wait_for_nats_connection(service, limit).await.unwrap_err();
            let took = start.elapsed();
            assert!(took >= half, "{took:?}: {error}");
            told = Some(error);
            took
        })
        .await;
        let error = told.unwrap();
        let operation = Operation::Start;
        assert_eq!(*error.kind(), ConnectionErrorKind::Deadline { operation });
        error
    };
    // Nobody there; somebody who is silent from the start; one who falls silent; one who dies.
    let refused = wait(&ConnectionService::new(settings(REFUSED))).await;
    assert_eq!(*cause(&refused), ConnectionErrorKind::Connect);
    let (_listener, silent) = black_hole().await;
    let undialled = wait(&ConnectionService::new(settings(&silent))).await;
    assert_eq!(*cause(&undialled), ConnectionErrorKind::NotConnected);
    let (server, service) = paused().await;
    assert_eq!(*cause(&wait(&service).await), SILENT);
    server.resume().unwrap();
    server.kill().await.unwrap();
    until("the loss is seen", async || {
        !service.state_of(DEFAULT_PROFILE).unwrap().is_connected()
    })
    .await;
    let lost = wait(&service).await;
    assert_eq!(*cause(&lost), ConnectionErrorKind::NotConnected);
}

#[tokio::test]
async fn nobody_waits_for_what_time_cannot_heal() {
    let server = TestServer::start_with("authorization { token: t0ken }").await;
    let service = ConnectionService::new(settings(&server.url()));
    let wait = timeout(SOON, wait_for_nats_connection(&service, NEVER));
    let error = wait.await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::AuthFailed);
}

#[tokio::test]
async fn performance_is_measured_on_one_connection_and_the_dial_apart() {
    let (server, service) = setup().await;
    let cold = measure_connection_performance(&service, 10).await;
    assert!((cold.success_rate - 1.0).abs() < f64::EPSILON);
    assert!(cold.dial.is_some_and(|dial| dial > Duration::ZERO));
    assert!(cold.min > Duration::ZERO && cold.min <= cold.mean && cold.mean <= cold.max);
    assert!(cold.min <= cold.p50 && cold.p50 <= cold.p99 && cold.p99 <= cold.max);
    let shown = cold.to_string();
    assert!(shown.ends_with("s\nSuccess rate: 100.0%"), "{shown}");
    let warm = measure_connection_performance(&service, 10).await;
    assert!(warm.dial.is_none());
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_has_the_rate_zero_and_no_times() {
    let service = ConnectionService::new(settings(REFUSED));
    let measure = measure_connection_performance(&service, 10);
    let dead = timeout(SOON, measure).await.unwrap();
    let zero = Duration::ZERO;
    assert_eq!((dead.min, dead.mean, dead.max), (zero, zero, zero));
    let shown = "Average time: 0.000s\nMin time: 0.000s\nMax time: 0.000s\nSuccess rate: 0.0%";
    assert_eq!((dead.dial, &*dead.to_string()), (None, shown));
}

#[tokio::test]
async fn ten_round_trips_are_four_lines_and_a_slow_connection_shows() {
    let (_server, service, proxy) = crate::behind_a_proxy().await;
    let fast = measure_connection_performance(&service, 10).await;
    let lines = fast.to_string();
    let labels: Vec<_> = lines
        .lines()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(
        labels,
        ["Average time", "Min time", "Max time", "Success rate"]
    );
    let slow = Duration::from_millis(60);
    proxy.slow(0, slow);
    let measured = measure_connection_performance(&service, 10).await;
    assert!(
        measured.min >= slow && measured.mean > fast.min,
        "{measured}"
    );
    assert_eq!(measured.success_rate.to_bits(), 1.0_f64.to_bits());
}

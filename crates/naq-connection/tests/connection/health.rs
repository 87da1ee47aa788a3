//! Whether the connection works: asked, waited for, measured, watched.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use naq_config::Secret;
use naq_config::settings::NatsSettings;
use naq_connection::{
    ConnectionError, ConnectionErrorKind, ConnectionService, DEFAULT_PROFILE, Failure, Health,
    HealthChecker, HealthCheckerBuilder, HealthState, Operation, Phase,
    measure_connection_performance, probe, probe_within, test_nats_connection,
    wait_for_nats_connection,
};
use naq_testing::TestServer as Pausable;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::records::Log;
use crate::server::TestServer;
use crate::{SOON, settings, setup, until};

const REFUSED: &str = "nats://127.0.0.1:1";
const SHORT: Duration = Duration::from_millis(300);
const NEVER: Duration = Duration::from_secs(3600);

/// A port that accepts and never says a word.
async fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn paused() -> (Pausable, ConnectionService) {
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

const SILENT: ConnectionErrorKind = ConnectionErrorKind::Deadline {
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
    assert!(health.rtt.unwrap() > Duration::ZERO && health.rtt.unwrap() < SOON);
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
    let (server, service) = paused().await;
    let start = Instant::now();
    let health = probe_within(&service, DEFAULT_PROFILE, SHORT).await;
    let took = start.elapsed();
    assert!(took >= SHORT && took < SHORT * 2, "{took:?}");
    assert_eq!((health.state, health.rtt), (HealthState::Unhealthy, None));
    assert_eq!(*health.last_error.unwrap().kind(), SILENT);
    server.resume().unwrap();
    assert!(probe(&service, DEFAULT_PROFILE).await.is_healthy());
}

#[tokio::test]
async fn the_connection_test_is_a_bool_in_bounded_time_whatever_the_server_does() {
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
    assert!(took < Duration::from_millis(5500), "{took:?}");
    assert!(test_nats_connection(&live).await);
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
    let (waited, started) = tokio::join!(wait_for_nats_connection(&service, SOON * 2), start);
    waited.unwrap();
    assert!(started.elapsed() < Duration::from_millis(1500));
    assert_eq!(service.leases(), 0);
}

#[tokio::test]
async fn who_waits_in_vain_learns_why_at_the_deadline() {
    let limit = Duration::from_secs(1);
    let wait = async |service: &ConnectionService| {
        let start = Instant::now();
        let error = wait_for_nats_connection(service, limit).await.unwrap_err();
        let took = start.elapsed();
        let half = Duration::from_millis(500);
        assert!(took >= half && took < limit + half, "{took:?}: {error}");
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

/// What a callback was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<HealthState>>>);

impl Told {
    fn note(&self) -> impl FnMut(&Health) + Send + 'static {
        let told = self.0.clone();
        move |health| told.lock().unwrap().push(health.state)
    }

    fn states(&self) -> Vec<HealthState> {
        self.0.lock().unwrap().clone()
    }
}

const WELL: HealthState = HealthState::Healthy;
const ILL: HealthState = HealthState::Unhealthy;

async fn found(checker: &HealthChecker, state: HealthState) -> Health {
    let mut health = checker.health();
    let found = health.wait_for(|health| health.state == state);
    timeout(SOON, found).await.unwrap().unwrap().clone()
}

fn checker(service: &ConnectionService, every: Duration) -> HealthCheckerBuilder {
    HealthChecker::builder(service).every(every)
}

#[tokio::test]
async fn a_kill_is_told_within_one_interval_and_so_is_the_return() {
    let (server, service) = setup().await;
    let (log, _guard) = Log::start();
    let told = Told::default();
    // So long that only the drop itself can be what was noticed.
    let checker = checker(&service, NEVER).on_change(told.note());
    let checker = checker.spawn().unwrap();
    assert!(found(&checker, WELL).await.last_error.is_none());
    server.kill().await;
    let killed = Instant::now();
    let ill = found(&checker, ILL).await.last_error.unwrap();
    assert!(killed.elapsed() < Duration::from_secs(1));
    assert!(ill.is_transient(), "{ill}");
    server.restart().await;
    let well = found(&checker, WELL).await;
    assert!(well.epoch == 2 && well.last_error.is_some());
    checker.stop().await;
    assert_eq!(told.states(), [WELL, ILL, WELL]);
    assert_eq!(log.ours("Connection health: true").len(), 2);
    assert_eq!(log.ours("Connection health check failed: ").len(), 1);
}

#[tokio::test]
async fn a_stalled_server_is_unhealthy_after_an_interval_and_a_deadline() {
    let (server, service) = paused().await;
    server.resume().unwrap();
    let checker = checker(&service, Duration::from_millis(20)).deadline(SHORT);
    let checker = checker.spawn().unwrap();
    found(&checker, WELL).await;
    server.pause().await.unwrap();
    let stalled = Instant::now();
    let ill = found(&checker, ILL).await;
    assert!(stalled.elapsed() < Duration::from_secs(1));
    assert_eq!(*ill.last_error.unwrap().kind(), SILENT);
    server.resume().unwrap();
    found(&checker, WELL).await;
}

#[tokio::test]
async fn a_server_that_was_given_up_or_was_never_there_is_dialled_again() {
    let (server, _unused) = setup().await;
    server.kill().await;
    let service = ConnectionService::new(NatsSettings {
        max_reconnect_attempts: Some(1),
        ..settings(&server.url())
    });
    let checker = checker(&service, Duration::from_millis(20))
        .spawn()
        .unwrap();
    found(&checker, ILL).await;
    server.restart().await;
    found(&checker, WELL).await;
    server.kill().await;
    until("the client is given up", async || {
        service.state_of(DEFAULT_PROFILE).unwrap().is_terminal()
    })
    .await;
    found(&checker, ILL).await;
    server.restart().await;
    found(&checker, WELL).await;
}

#[tokio::test]
async fn a_callback_that_panics_ends_nothing() {
    let (server, service) = setup().await;
    let (log, _guard) = Log::start();
    let checker = checker(&service, NEVER)
        // As `panic!`, without its message.
        .on_change(|_| std::panic::resume_unwind(Box::new("as planned")))
        .spawn()
        .unwrap();
    found(&checker, WELL).await;
    server.kill().await;
    found(&checker, ILL).await;
    server.restart().await;
    found(&checker, WELL).await;
    checker.stop().await;
    let errors = log.ours("ERROR");
    assert_eq!(errors.len(), 3, "{errors:#?}");
    assert!(errors[0].contains("Health check failed: the callback panicked: as planned"));
}

#[tokio::test]
async fn stop_is_prompt_in_the_middle_of_a_check_and_may_be_repeated() {
    let (server, service) = paused().await;
    let checker = checker(&service, NEVER).deadline(NEVER).spawn().unwrap();
    until("a check is under way", async || service.leases() == 1).await;
    let start = Instant::now();
    tokio::join!(checker.stop(), checker.stop());
    checker.stop().await;
    assert!(start.elapsed() < Duration::from_millis(500));
    assert_eq!(service.leases(), 0);
    let mut health = checker.health();
    assert_eq!(health.borrow().state, HealthState::Unknown);
    assert!(health.changed().await.is_err(), "the channel is closed");
    server.resume().unwrap();
}

#[tokio::test]
async fn a_checker_that_nobody_holds_or_whose_service_has_ended_is_gone() {
    let (_server, service) = setup().await;
    let dropped = checker(&service, NEVER).spawn().unwrap();
    let mut health = dropped.health();
    found(&dropped, WELL).await;
    drop(dropped);
    while timeout(SOON, health.changed()).await.unwrap().is_ok() {}

    let checker = checker(&service, NEVER).spawn().unwrap();
    found(&checker, WELL).await;
    assert_eq!(service.leases(), 0, "nothing is held between checks");
    let report = service.shutdown(SOON).await;
    assert_eq!(report.leases_outstanding, 0);
    let mut health = checker.health();
    while timeout(SOON, health.changed()).await.unwrap().is_ok() {}
    let error = checker.health().borrow().last_error.clone().unwrap();
    assert_eq!(*error.kind(), ConnectionErrorKind::ShuttingDown);
    let tasks = tokio::runtime::Handle::current().metrics();
    until("no task is left", async || tasks.num_alive_tasks() == 0).await;
}

#[test]
fn a_checker_needs_a_runtime_and_a_profile() {
    let service = ConnectionService::new(settings(REFUSED));
    let spawn = |profile| HealthChecker::builder(&service).profile(profile).spawn();
    let kind = |profile| spawn(profile).unwrap_err().kind().clone();
    assert_eq!(kind("nobody"), ConnectionErrorKind::UnknownProfile);
    assert_eq!(kind(DEFAULT_PROFILE), ConnectionErrorKind::NoRuntime);
}

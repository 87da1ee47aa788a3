//! The health checker: what it tells, what it survives, how it ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::{
    ConnectionErrorKind, ConnectionService, DEFAULT_PROFILE, Health, HealthChecker,
    HealthCheckerBuilder, HealthState,
};
use tokio::time::{Instant, timeout};

use crate::health::{NEVER, REFUSED, SHORT, SILENT, paused};
use crate::records::Log;
use crate::{SOON, once_below, settings, setup, until};

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
    once_below(Duration::from_secs(1), telling_of_a_kill).await;
}

/// From the death of the server to the word of it.
async fn telling_of_a_kill() -> Duration {
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
    let took = killed.elapsed();
    assert!(ill.is_transient(), "{ill}");
    server.restart().await;
    let well = found(&checker, WELL).await;
    assert!(well.epoch == 2 && well.last_error.is_some());
    checker.stop().await;
    assert_eq!(told.states(), [WELL, ILL, WELL]);
    assert_eq!(log.ours("Connection health: true").len(), 2);
    assert_eq!(log.ours("Connection health check failed: ").len(), 1);
    took
}

#[tokio::test]
async fn a_stalled_server_is_unhealthy_after_an_interval_and_a_deadline() {
    once_below(Duration::from_secs(1), finding_of_a_stall).await;
}

/// From the stall to the word of it.
async fn finding_of_a_stall() -> Duration {
    let (server, service) = paused().await;
    server.resume().unwrap();
    let checker = checker(&service, Duration::from_millis(20)).deadline(SHORT);
    let checker = checker.spawn().unwrap();
    found(&checker, WELL).await;
    server.pause().await.unwrap();
    let stalled = Instant::now();
    let ill = found(&checker, ILL).await;
    let took = stalled.elapsed();
    assert_eq!(*ill.last_error.unwrap().kind(), SILENT);
    server.resume().unwrap();
    found(&checker, WELL).await;
    took
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
    once_below(Duration::from_millis(500), stop_in_a_check).await;
}

/// What the stop takes.
async fn stop_in_a_check() -> Duration {
    let (server, service) = paused().await;
    let checker = checker(&service, NEVER).deadline(NEVER).spawn().unwrap();
    until("a check is under way", async || service.leases() == 1).await;
    let start = Instant::now();
    tokio::join!(checker.stop(), checker.stop());
    checker.stop().await;
    let took = start.elapsed();
    assert_eq!(service.leases(), 0);
    let mut health = checker.health();
    assert_eq!(health.borrow().state, HealthState::Unknown);
    assert!(health.changed().await.is_err(), "the channel is closed");
    server.resume().unwrap();
    took
}

#[tokio::test]
async fn a_checker_that_nobody_holds_or_whose_service_has_ended_is_gone() {
    let (_server, service) = setup().await;
    let dropped = checker(&service, NEVER).spawn().unwrap();
    let mut health = dropped.health();
    found(&dropped, WELL).await;
    drop(dropped);
    while timeout(SOON, health.changed()).await.unwrap().is_ok() {}

    let told = Told::default();
    let checker = checker(&service, NEVER).on_change(told.note());
    let checker = checker.spawn().unwrap();
    found(&checker, WELL).await;
    assert_eq!(service.leases(), 0, "nothing is held between checks");
    let report = service.shutdown(SOON).await;
    assert_eq!(report.leases_outstanding, 0);
    let mut health = checker.health();
    while timeout(SOON, health.changed()).await.unwrap().is_ok() {}
    let error = checker.health().borrow().last_error.clone().unwrap();
    assert_eq!(*error.kind(), ConnectionErrorKind::ShuttingDown);
    assert_eq!(told.states(), [WELL], "a shutdown is no alarm");
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

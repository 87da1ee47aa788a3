//! Many callers, no connection yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use naq_connection::{ConnectionError, ConnectionErrorKind, ConnectionService, Phase, StartMode};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::server::TestServer;
use crate::{SOON, once_below, settings, setup, until};

/// Calls `connection` from so many tasks at once and keeps the leases to the end.
async fn herd(service: &ConnectionService, callers: usize) -> Vec<Result<(), ConnectionError>> {
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let service = service.clone();
        tasks.spawn(async move { service.connection().await });
    }
    let leases = timeout(SOON, tasks.join_all()).await.unwrap();
    leases.into_iter().map(|lease| lease.map(drop)).collect()
}

/// A port that takes connections and closes them at once, and the number that it took.
async fn slamming_port() -> (String, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(socket);
        }
    });
    (url, accepted, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_concurrent_cold_starts_make_one_connection() {
    let (server, service) = setup().await;
    let outcomes = herd(&service, 1000).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(server.total_connects().await, 1);
    assert_eq!(service.leases(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_of_a_dead_server_make_one_dial_and_share_its_error() {
    let (url, accepted, _task) = slamming_port().await;
    let service = ConnectionService::new(settings(&url));
    let started = Instant::now();
    let outcomes = herd(&service, 1000).await;
    // After a failed dial the next one may start only after a pause: few, whatever the callers.
    let pauses = usize::try_from(started.elapsed().as_millis() / 10).unwrap();
    let dials = accepted.load(Ordering::SeqCst);
    assert!((1..=1 + pauses).contains(&dials), "{dials} dials");
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::Connect);
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn callers_that_wait_for_the_same_dial_get_the_same_failure_from_one_dial() {
    let (url, accepted, _task) = slamming_port().await;
    let service = ConnectionService::new(settings(&url));
    let calls = (0..1000).map(|_| service.connection());
    let outcomes = futures::future::join_all(calls).await;
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
    let texts: Vec<_> = outcomes
        .iter()
        .map(|o| o.as_ref().unwrap_err().to_string())
        .collect();
    assert!(texts.iter().all(|text| *text == texts[0]));
}

#[tokio::test]
async fn the_caller_who_started_the_dial_can_leave_without_hurting_the_others() {
    let (server, service) = setup().await;
    let left = service.connection().now_or_never();
    assert!(left.is_none(), "the leader should have to wait");
    assert_eq!(service.state_of("default").unwrap().phase, Phase::Dialing);
    let followers = herd(&service, 100).await;
    assert!(followers.iter().all(Result::is_ok));
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn each_profile_has_a_connection_of_its_own_under_its_own_name() {
    let server = TestServer::start().await;
    let named = |name: &str| {
        let mut settings = settings(&server.url());
        settings.client_name = name.to_owned();
        settings
    };
    let service = ConnectionService::builder()
        .profile("default", named("web"))
        .profile("billing", named("billing"))
        .start(StartMode::FailFast)
        .await
        .unwrap();
    let connections = server.connections().await;
    let mut names: Vec<_> = connections
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["billing", "web"]);
    let unknown = service.connection_for("nope").await.unwrap_err();
    assert_eq!(*unknown.kind(), ConnectionErrorKind::UnknownProfile);
}

#[tokio::test]
async fn a_lazy_start_dials_only_at_the_first_use() {
    let server = TestServer::start().await;
    let service = ConnectionService::builder()
        .profile("default", settings(&server.url()))
        .start(StartMode::Lazy)
        .await
        .unwrap();
    assert_eq!(service.state_of("default").unwrap().phase, Phase::Idle);
    assert_eq!(server.total_connects().await, 0);
    let connection = service.connection().await.unwrap();
    assert!(connection.state().is_connected());
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn waiting_for_a_server_that_comes_up_later_succeeds() {
    let server = TestServer::start().await;
    server.kill().await;
    let starting = ConnectionService::builder()
        .profile("default", settings(&server.url()))
        .start(StartMode::WaitUntil(Duration::from_secs(10)));
    let (service, ()) = tokio::join!(starting, server.restart());
    assert!(service.unwrap().connection().await.is_ok());
}

#[tokio::test]
async fn waiting_ends_at_the_deadline_with_the_last_cause() {
    once_below(Duration::from_secs(2), waiting_in_vain).await;
}

/// What a wait of 300 ms takes.
async fn waiting_in_vain() -> Duration {
    let (url, _, _task) = slamming_port().await;
    let started = Instant::now();
    let error = ConnectionService::builder()
        .profile("default", settings(&url))
        .start(StartMode::WaitUntil(Duration::from_millis(300)))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::Connect);
    started.elapsed()
}

#[test]
fn a_service_outlives_the_runtime_that_its_connection_ran_on() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let (server, service) = first.block_on(setup());
    let old = first.block_on(service.connection()).unwrap();
    drop(first);
    assert_eq!(old.state().phase, Phase::Closed);
    runtime().block_on(async {
        let error = old.publish("a", "b").await.unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::Closed);
        let new = service.connection().await.unwrap();
        new.flush_confirmed().await.unwrap();
        assert!(new.state().epoch > old.state().epoch);
        until("one connection", async || {
            server.connections().await.len() == 1
        })
        .await;
    });
}

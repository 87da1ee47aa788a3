//! What the documents of the original promised, by name: scopes for each kind of work, names in two
//! places, the functions of the service layer, what each call is bound by.

use std::fmt::Display;
use std::ops::Deref;
use std::time::{Duration, Instant};

use naq_config::settings::NatsSettings;
use naq_connection::{
    BucketConfig, Connection, ConnectionError, ConnectionErrorKind, ConnectionService,
    DEFAULT_PROFILE, HealthState, KvStore, Lane, NatsConnection, NatsJetStream, NatsKvStore,
    StartMode, StreamConfig, get_config, measure_connection_performance, nats_connection,
    nats_jetstream, nats_kv_store, probe, retry_on_connection_failure, scope,
    with_connection_monitoring, with_kv_store,
};
use naq_testing::FaultProxy;
use serde_json::json;

use crate::server::TestServer;
use crate::{PROMPT, SOON, settings, setup};

/// Compiles only for types that are nothing but themselves: with a second candidate the compiler
/// could not choose.
trait IsNoConnection<Candidate> {
    fn check(_: &Self) {}
}
impl<T> IsNoConnection<()> for T {}
impl<T: Deref<Target = Connection>> IsNoConnection<u8> for T {}
impl<T: AsRef<Connection>> IsNoConnection<u16> for T {}

#[test]
fn a_scope_that_is_not_awaited_is_no_connection() {
    // Also a `compile_fail` example of the crate's first page: there is no `publish` on it.
    let scope: NatsConnection = nats_connection();
    IsNoConnection::check(&scope);
    let scope: NatsJetStream = nats_jetstream();
    IsNoConnection::check(&scope);
    let scope: NatsKvStore = nats_kv_store("status");
    IsNoConnection::check(&scope);
}

#[tokio::test]
async fn each_kind_of_work_has_a_scope_of_its_own_on_one_connection() {
    let (server, service) = setup().await;
    service.install_global().unwrap();
    let plain = nats_connection().await.unwrap();
    plain.publish("subject", "message").await.unwrap();
    plain.flush_confirmed().await.unwrap();

    let (_, jetstream) = nats_jetstream().await.unwrap();
    let stream = StreamConfig {
        name: "events".to_owned(),
        subjects: vec!["events.>".to_owned()],
        ..StreamConfig::default()
    };
    jetstream.create_stream(stream).await.unwrap();
    let stored = jetstream.publish("events.a", "x".into()).await.unwrap();
    assert_eq!(stored.await.unwrap().sequence, 1);

    let bucket = nats_kv_store("status").create_if_missing(BucketConfig::default());
    let bucket = bucket.await.unwrap();
    bucket.put("key", "value").await.unwrap();
    assert_eq!(bucket.get("key").await.unwrap().unwrap(), "value");
    assert_eq!(server.total_connects().await, 1);
}

#[expect(unused_qualifications, reason = "both paths are what is shown")]
#[tokio::test]
async fn names_are_the_same_from_the_crate_and_from_its_modules() {
    // Both paths lead to one type: each takes what the other one makes.
    let of_the_module: scope::NatsConnection = nats_connection();
    let of_the_crate: NatsConnection = of_the_module;
    let (_server, service) = setup().await;
    of_the_crate.on(&service).await.unwrap();
    scope::nats_jetstream().on(&service).await.unwrap();
    service.install_global().unwrap();
    let body = async |_: &Connection| Ok::<_, ConnectionError>(());
    scope::with_nats_connection(body).await.unwrap();
    get_config().unwrap();
    scope::get_config().unwrap();
    let measured = measure_connection_performance(&service, 1).await;
    assert_eq!(measured.success_rate.to_bits(), 1.0_f64.to_bits());
}

#[tokio::test]
async fn the_functions_of_the_service_layer_have_a_counterpart_and_give_back_to_the_pool() {
    let [first, second] = [TestServer::start().await, TestServer::start().await];
    // A URL of its own is a profile: `get_connection(url)`, `add_connection_config`.
    let service = ConnectionService::builder()
        .profile(DEFAULT_PROFILE, settings(&first.url()))
        .profile("other", settings(&second.url()))
        .start(StartMode::Lazy)
        .await
        .unwrap();
    // `connection_scope`, `jetstream_scope`, `connection_and_jetstream_scope`.
    for _ in 0..3 {
        for profile in [DEFAULT_PROFILE, "other"] {
            service.connection_for(profile).await.unwrap();
            let (_connection, jetstream) = nats_jetstream()
                .on(&service)
                .profile(profile)
                .await
                .unwrap();
            jetstream.query_account().await.unwrap();
        }
    }
    // Back in the pool, and not closed.
    assert_eq!(service.leases(), 0);
    for server in [&first, &second] {
        assert_eq!(server.total_connects().await, 1);
        assert_eq!(server.connections().await.len(), 1);
    }
    // `check_connection_health`, `get_connection_status`, `active_connections`, `reconnect`.
    let health = probe(&service, "other").await;
    assert_eq!(health.state, HealthState::Healthy);
    assert!(service.state_of("other").unwrap().is_connected());
    assert_eq!(service.metrics().active_connections, 0);
    service.rotate("other").await.unwrap();
    second.has_connected(2).await;
    // `update_default_nats_url`.
    let moved = [(DEFAULT_PROFILE.to_owned(), settings(&second.url()))];
    service.reload(moved).await.unwrap();
    let connection = service.connection().await.unwrap();
    assert_eq!(connection.server_info().port, second.port());
    drop(connection);
    // `close_connection`.
    assert!(service.shutdown(SOON).await.flushed());
}

#[tokio::test]
async fn a_profile_that_fails_does_not_disturb_the_others() {
    let server = TestServer::start().await;
    let service = ConnectionService::builder()
        .profile(DEFAULT_PROFILE, settings(&server.url()))
        .profile("dead", settings("nats://127.0.0.1:1"))
        .start(StartMode::Lazy)
        .await
        .unwrap();
    for _ in 0..3 {
        let error = service.connection_for("dead").await.unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::Connect);
        let connection = service.connection().await.unwrap();
        connection.flush_confirmed().await.unwrap();
    }
    let health = probe(&service, "dead").await;
    assert_ne!(health.state, HealthState::Healthy);
    let health = probe(&service, DEFAULT_PROFILE).await;
    assert_eq!(health.state, HealthState::Healthy);
    assert_eq!(
        service
            .metrics_of(DEFAULT_PROFILE)
            .unwrap()
            .failed_connections,
        0
    );
    assert_eq!(server.total_connects().await, 1);
    assert_eq!(service.shutdown(SOON).await.connections_left, 0);
}

/// A connection whose server has stopped answering, with short limits and nothing that would
/// notice the stall before they do.
async fn stalled(limits: NatsSettings) -> (TestServer, FaultProxy, ConnectionService) {
    let server = TestServer::start().await;
    let proxy = FaultProxy::to(&server.url());
    let service = ConnectionService::new(NatsSettings {
        servers: vec![proxy.url()],
        stall_timeout: Duration::ZERO,
        ..limits
    });
    let bucket = nats_kv_store("status").on(&service);
    let bucket = bucket.create_if_missing(BucketConfig::default());
    bucket.await.unwrap();
    proxy.stall();
    (server, proxy, service)
}

async fn assert_ends<T>(
    call: impl Display,
    limit: Duration,
    work: impl Future<Output = Result<T, ConnectionError>>,
) {
    let start = Instant::now();
    let outcome = tokio::time::timeout(limit + PROMPT, work).await;
    let Ok(Err(error)) = outcome.map(|outcome| outcome.map(drop)) else {
        panic!("{call} has not failed within {:?}", limit + PROMPT)
    };
    let took = start.elapsed();
    let late = matches!(error.kind(), ConnectionErrorKind::Deadline { .. });
    assert!(
        late || *error.kind() == ConnectionErrorKind::OutcomeUnknown,
        "{call}: {error}"
    );
    // Timers of the client are exact to a millisecond.
    let early = took + Duration::from_millis(5) < limit;
    assert!(!early && took < limit + PROMPT, "{call}: {took:?}");
}

#[tokio::test]
async fn every_call_to_a_server_that_does_not_answer_ends_at_its_limit() {
    let limit = Duration::from_millis(200);
    let (_server, _proxy, service) = stalled(NatsSettings {
        request_timeout: limit,
        flush_timeout: limit,
        ..NatsSettings::default()
    })
    .await;
    let connection = service.connection().await.unwrap();
    let bucket = nats_kv_store("status").on(&service).await;
    let none = async_nats::HeaderMap::new;
    let own = Duration::from_millis(100);
    assert_ends("request", limit, connection.request("a", "")).await;
    assert_ends(
        "request_within",
        own,
        connection.request_within("a", none(), "", own),
    )
    .await;
    let hurried = connection.clone().with_request_timeout(own);
    assert_ends("request, hurried", own, hurried.request("a", "")).await;
    let clone = hurried.clone();
    assert_ends("request of a clone", own, clone.request("a", "")).await;
    assert_ends(
        "publish_acked",
        limit,
        connection.publish_acked("a", none(), ""),
    )
    .await;
    let acked = connection.publish_acked_within("a", none(), "", own);
    assert_ends("publish_acked_within", own, acked).await;
    assert_ends("flush_confirmed", limit, connection.flush_confirmed()).await;
    assert_ends(
        "flush_confirmed_within",
        own,
        connection.flush_confirmed_within(own),
    )
    .await;
    assert_ends("streams().info", limit, service.streams().info("a")).await;
    let bucket = bucket.unwrap();
    assert_ends("kv get", limit, bucket.get("key")).await;
    assert_ends("kv put", limit, bucket.put("key", "value")).await;
    assert_ends("kv keys", limit, Box::pin(bucket.keys(10))).await;
    let new = service.acquire().lane(Lane::Bulk).timeout(limit);
    assert_ends("acquire", limit, async { new.await }).await;
}

#[tokio::test]
async fn a_flush_to_a_stalled_server_fails_after_five_seconds_or_what_is_set() {
    assert_eq!(
        NatsSettings::default().flush_timeout,
        Duration::from_secs(5)
    );
    let set = NatsSettings {
        flush_timeout: Duration::from_millis(300),
        ..NatsSettings::default()
    };
    for settings in [NatsSettings::default(), set] {
        let limit = settings.flush_timeout;
        let (_server, _proxy, service) = stalled(settings).await;
        let connection = service.connection().await.unwrap();
        connection.publish("a", "b").await.unwrap();
        assert_ends("flush", limit, connection.flush_confirmed()).await;
        assert!(connection.state().is_connected());
    }
}

#[tokio::test]
async fn the_server_shows_the_name_that_is_set_and_what_is_not_set_is_the_default() {
    let server = TestServer::start().await;
    let service = ConnectionService::new(NatsSettings {
        client_name: "reports-7".to_owned(),
        ..settings(&server.url())
    });
    let defaults = ConnectionService::new(settings(&server.url()));
    let _leases = [
        service.connection().await.unwrap(),
        defaults.connection().await.unwrap(),
    ];
    let names = server.connections().await;
    let mut names: Vec<_> = names.iter().map(|c| c["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [NatsSettings::default().client_name.as_str(), "reports-7"]
    );
}

/// What a caller does who tells two kinds apart and takes the others together.
fn handled(error: &ConnectionError) -> &'static str {
    match error.kind() {
        ConnectionErrorKind::Closed => "closed",
        ConnectionErrorKind::Deadline { .. } => "timeout",
        _ => "other",
    }
}

#[tokio::test]
async fn errors_that_are_not_told_apart_fall_into_the_catch_all() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let refused = connection.publish("no spaces", "").await.unwrap_err();
    let alone = connection.request("nobody.there", "").await.unwrap_err();
    let unknown = service.connection_for("nowhere").await.unwrap_err();
    for error in [refused, alone, unknown] {
        assert_eq!(handled(&error), "other", "{error}");
        // And as any error, for who does not want to know the type.
        let any: Box<dyn std::error::Error + Send + Sync> = error.clone().into();
        assert_eq!(any.to_string(), error.to_string());
        assert!(!any.to_string().is_empty());
    }
}

#[with_kv_store("scheduled_jobs")]
async fn store_scheduled_job(
    kv: &KvStore,
    job_id: &str,
    schedule: &serde_json::Value,
) -> Result<(), ConnectionError> {
    kv.put(job_id, schedule.to_string()).await?;
    Ok(())
}

#[with_connection_monitoring]
#[retry_on_connection_failure]
#[with_kv_store("worker_status")]
async fn update_status(kv: &KvStore, worker: &str, status: &str) -> Result<(), ConnectionError> {
    kv.put(worker, status.to_owned()).await?;
    Ok(())
}

#[tokio::test]
async fn scheduled_jobs_and_the_status_of_workers_are_keys_of_their_buckets() {
    let (server, service) = setup().await;
    service.install_global().unwrap();
    let open = async |name: &str| {
        let bucket = nats_kv_store(name).create_if_missing(BucketConfig::default());
        bucket.await.unwrap()
    };
    let (jobs, workers) = (open("scheduled_jobs").await, open("worker_status").await);
    let schedule = json!({ "cron": "0 3 * * *" });
    store_scheduled_job("job-7", &schedule).await.unwrap();
    let stored = jobs.get("job-7").await.unwrap().unwrap();
    let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(stored, schedule);
    for status in ["starting", "idle", "busy"] {
        update_status("worker-1", status).await.unwrap();
        assert_eq!(workers.get("worker-1").await.unwrap().unwrap(), status);
    }
    assert_eq!(server.total_connects().await, 1);
}

//! The attributes, on functions and methods as users write them.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use naq_connection::{
    Connection, ConnectionError, ConnectionErrorKind, ConnectionService, JetStream, KvStore,
    Retryable, StreamConfig, nats_kv_store, retry_on_connection_failure,
    with_connection_monitoring, with_jetstream_context, with_kv_store, with_nats_connection,
};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::records::Log;
use crate::server::TestServer;
use crate::{SOON, settings, setup};

async fn setup_global() -> (TestServer, ConnectionService) {
    let (server, service) = setup().await;
    service.install_global().unwrap();
    (server, service)
}

type Boxed = Box<dyn Error + Send + Sync>;

/// Two arguments, one of them optional.
#[with_nats_connection]
async fn my_function(
    conn: &Connection,
    arg1: &str,
    arg2: Option<&str>,
) -> Result<usize, ConnectionError> {
    let text = format!("{arg1}-{}", arg2.unwrap_or("none"));
    let length = text.len();
    conn.publish("arguments", text).await?;
    conn.flush_confirmed().await?;
    Ok(length)
}

#[with_jetstream_context]
async fn create_stream(js: &JetStream, stream_name: &str) -> Result<(), ConnectionError> {
    js.create_stream(StreamConfig {
        name: stream_name.to_owned(),
        subjects: vec![format!("{stream_name}.*")],
        ..StreamConfig::default()
    })
    .await?;
    Ok(())
}

#[with_nats_connection]
async fn publish_message(
    conn: &Connection,
    subject: &str,
    message: &[u8],
) -> Result<(), ConnectionError> {
    conn.publish(subject.to_owned(), message.to_vec()).await?;
    conn.flush_confirmed().await
}

#[with_kv_store("status_bucket")]
async fn put<V: Into<String> + Send>(
    kv: &KvStore,
    key: &str,
    value: V,
) -> Result<u64, ConnectionError> {
    kv.put(key, value.into()).await
}

#[with_nats_connection]
async fn fails(_: &Connection, how: &str) -> Result<(), Boxed> {
    Err(how.to_owned())?
}

struct EventPublisher {
    prefix: String,
    published: u32,
}

impl EventPublisher {
    #[with_nats_connection]
    async fn publish_event(
        &self,
        conn: &Connection,
        event_type: &str,
        data: &serde_json::Value,
    ) -> Result<(), ConnectionError> {
        let subject = format!("{}.{event_type}", self.prefix);
        conn.publish(subject, data.to_string()).await?;
        conn.flush_confirmed().await
    }

    #[retry_on_connection_failure(max_retries = 5, retry_delay = "10ms")]
    #[with_nats_connection]
    async fn publish_after<'a>(
        &'a mut self,
        conn: &Connection,
        failures: u32,
        mut name: String,
    ) -> Result<&'a str, ConnectionError> {
        self.published += 1;
        name.push('!');
        if self.published <= failures {
            let missing = conn.request("nobody.listens", "x").await;
            missing?;
        }
        conn.publish(name, "x").await?;
        Ok(&self.prefix)
    }
}

#[tokio::test]
async fn what_is_passed_arrives_behind_the_connection_which_stays_for_the_next_call() {
    let (server, service) = setup_global().await;
    let listener = service.connection().await.unwrap();
    let mut subscription = listener.subscribe("arguments").await.unwrap();
    assert_eq!(my_function("a", Some("b")).await.unwrap(), 3);
    let message = tokio::time::timeout(SOON, subscription.next()).await;
    assert_eq!(&message.unwrap().unwrap().payload[..], b"a-b");
    my_function("a", None).await.unwrap();

    let error = fails("as planned").await.unwrap_err();
    assert_eq!(error.to_string(), "as planned");
    drop((listener, subscription));
    assert_eq!(service.leases(), 0);
    assert_eq!(server.total_connects().await, 1);
    service.shutdown(SOON).await;
    crate::until("the server has noticed", async || {
        server.connections().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn the_functions_of_the_documents_make_streams_and_put_keys() {
    let (server, service) = setup_global().await;
    create_stream("mystream").await.unwrap();
    let made = service.streams().info("mystream").await.unwrap().unwrap();
    assert_eq!(made.config.subjects, ["mystream.*"]);
    publish_message("mystream.a", b"x").await.unwrap();
    let stored = service.streams().info("mystream").await.unwrap().unwrap();
    assert_eq!(stored.state.messages, 1);

    let missing = put("k", "v").await.unwrap_err();
    assert_eq!(*missing.kind(), ConnectionErrorKind::NotFound);
    let bucket = nats_kv_store("status_bucket").create_if_missing(Default::default());
    let kv = bucket.await.unwrap();
    let revision = put("k", "v").await.unwrap();
    let entry = kv.entry("k").await.unwrap().unwrap();
    assert_eq!((&entry.value[..], entry.revision), (&b"v"[..], revision));
    assert_eq!(server.total_connects().await, 1);
}

#[with_nats_connection(config = "billing")]
async fn on_billing(conn: &Connection) -> Result<(), ConnectionError> {
    conn.flush_confirmed().await
}

#[with_nats_connection(config = "nowhere")]
async fn on_nothing(conn: &Connection) -> Result<(), ConnectionError> {
    conn.flush_confirmed().await
}

#[tokio::test]
async fn a_profile_is_another_connection_and_an_unknown_one_a_typed_error() {
    let server = TestServer::start().await;
    let mut billing = settings(&server.url());
    billing.client_name = "billing".to_owned();
    let service = ConnectionService::builder()
        .profile("default", settings(&server.url()))
        .profile("billing", billing)
        .start(naq_connection::StartMode::Lazy)
        .await
        .unwrap();
    service.install_global().unwrap();
    on_billing().await.unwrap();
    let names = server.connections().await;
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["name"], "billing");
    let error = on_nothing().await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::UnknownProfile);
}

#[tokio::test]
async fn methods_get_the_connection_behind_self() {
    let (_server, service) = setup_global().await;
    let listener = service.connection().await.unwrap();
    let mut events = listener.subscribe("events.>").await.unwrap();
    let mut publisher = EventPublisher {
        prefix: "events".to_owned(),
        published: 0,
    };
    let data = serde_json::json!({ "user": 7 });
    publisher.publish_event("login", &data).await.unwrap();
    let message = tokio::time::timeout(SOON, events.next()).await;
    let message = message.unwrap().unwrap();
    assert_eq!(message.subject.as_str(), "events.login");
    let read: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!(read, data);

    // Two failures of the server's, then a success, with a clone of the argument each time.
    let prefix = publisher.publish_after(2, "events.late".to_owned());
    assert_eq!(prefix.await.unwrap(), "events");
    assert_eq!(publisher.published, 3);
    let message = tokio::time::timeout(SOON, events.next()).await;
    assert_eq!(message.unwrap().unwrap().subject.as_str(), "events.late!");
}

#[derive(Debug)]
enum Flaky {
    Passing,
    Mine,
}

impl Retryable for Flaky {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Passing)
    }
}

#[retry_on_connection_failure(
    max_retries = 3,
    retry_delay = 1.0,
    backoff_factor = 2.0,
    jitter = false
)]
async fn flaky(calls: &AtomicU32, failures: u32) -> Result<u32, Flaky> {
    let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
    match failures {
        0 => Err(Flaky::Mine),
        failures if call <= failures => Err(Flaky::Passing),
        _ => Ok(call),
    }
}

#[tokio::test(start_paused = true)]
async fn retries_come_after_one_and_two_seconds_and_only_for_what_can_pass() {
    let calls = AtomicU32::new(0);
    let start = Instant::now();
    assert_eq!(flaky(&calls, 2).await.unwrap(), 3);
    assert_eq!(start.elapsed().as_secs(), 1 + 2);

    let calls = AtomicU32::new(0);
    assert!(matches!(flaky(&calls, 100).await, Err(Flaky::Passing)));
    assert_eq!(calls.into_inner(), 4);

    let calls = AtomicU32::new(0);
    assert!(matches!(flaky(&calls, 0).await, Err(Flaky::Mine)));
    assert_eq!(calls.into_inner(), 1);
}

#[retry_on_connection_failure(max_retries = 100, retry_delay = "20ms", backoff_factor = 1.0)]
#[with_connection_monitoring]
#[with_nats_connection]
async fn through_an_outage(
    conn: &Connection,
    attempts: Arc<AtomicU32>,
) -> Result<String, ConnectionError> {
    attempts.fetch_add(1, Ordering::SeqCst);
    conn.flush_confirmed_within(Duration::from_millis(200))
        .await?;
    Ok(conn.server_info().server_id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_in_a_spawned_task_retries_until_the_server_is_back_with_a_lease_each_time() {
    let (server, service) = setup_global().await;
    let attempts = Arc::new(AtomicU32::new(0));
    let before = through_an_outage(Arc::clone(&attempts)).await.unwrap();
    server.kill().await;
    // A flush that is under way when the connection drops may have been read: that is not retried.
    crate::until("the loss is noticed", async || {
        !service.state_of("default").unwrap().is_connected()
    })
    .await;
    let mut tasks = JoinSet::new();
    let seen = Arc::clone(&attempts);
    tasks.spawn(async move { through_an_outage(seen).await });
    crate::until("an attempt has failed", async || {
        attempts.load(Ordering::SeqCst) > 2
    })
    .await;
    server.restart().await;
    let after = tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_ne!(before, after, "it is another server process");
    assert_eq!(service.leases(), 0);
}

#[with_connection_monitoring]
async fn watched(succeed: bool) -> Result<(), Flaky> {
    tracing::info!("inside");
    match succeed {
        true => Ok(()),
        false => Err(Flaky::Mine),
    }
}

#[tokio::test]
async fn a_watched_call_has_a_span_of_its_name_and_is_counted_by_how_it_ended() {
    let (log, _guard) = Log::start();
    let (_server, service) = setup_global().await;
    watched(true).await.unwrap();
    watched(false).await.unwrap_err();
    let metrics = service.metrics();
    let counted = &metrics.operations["watched"];
    assert_eq!((counted.succeeded, counted.failed), (1, 1));
    assert_eq!(metrics.active_connections, 0);
    let inside = log.text();
    assert!(inside.contains("operation{name=\"watched\"}"), "{inside}");

    // The place of a lease is where the scope was asked for.
    let lease = naq_connection::nats_connection().await.unwrap();
    let out = service.leases_out();
    let place = out[0].location.file();
    assert!(place.ends_with("attributes.rs"), "{out:?}");
    drop(lease);
}

#[with_connection_monitoring]
#[with_nats_connection]
async fn asks_nobody(conn: &Connection) -> Result<(), Boxed> {
    conn.request("nobody.listens", "x").await?;
    Ok(())
}

#[with_jetstream_context]
async fn looks_for_nothing(js: &JetStream) -> Result<(), ConnectionError> {
    js.get_stream("missing").await?;
    Ok(())
}

#[with_kv_store("status_bucket")]
async fn writes_nothing(kv: &KvStore) -> Result<(), ConnectionError> {
    kv.put("no spaces", "x").await?;
    Ok(())
}

#[tokio::test]
async fn a_failure_inside_an_attribute_is_one_record_as_in_a_closure() {
    let (log, _guard) = Log::start();
    let (_server, _service) = setup_global().await;
    let bucket = nats_kv_store("status_bucket").create_if_missing(Default::default());
    bucket.await.unwrap();
    let of_connection = asks_nobody().await.unwrap_err();
    let of_jetstream = looks_for_nothing().await.unwrap_err();
    let of_bucket = writes_nothing().await.unwrap_err();
    fails("mine is nobody else's").await.unwrap_err();
    let errors = log.ours("ERROR");
    let expected = [
        format!("NATS connection error: {of_connection}"),
        format!("JetStream context error: {of_jetstream}"),
        format!("KV store error for bucket status_bucket: {of_bucket}"),
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.contains(&expected), "{error}");
    }
}

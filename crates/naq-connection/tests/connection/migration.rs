//! Code that comes from the bare client: it does the same, on one connection. The book shows the same programs.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{self, AckKind, Message};
use async_nats::{HeaderMap, connect};
use futures::StreamExt;
use naq_connection::{
    BucketConfig, ConnectionService, JetStream, StreamConfig, nats_connection, nats_jetstream,
    nats_kv_store,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::server::TestServer;
use crate::{PROMPT, SOON, setup};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A server, a service on it that is this runtime's, and a stream on `jobs.*` with the consumer `workers`.
async fn setup_jobs() -> (TestServer, ConnectionService, JetStream) {
    let (server, service) = setup().await;
    service.install_global().unwrap();
    let (_connection, jetstream) = nats_jetstream().await.unwrap();
    let stream = StreamConfig {
        name: "JOBS".to_owned(),
        subjects: vec!["jobs.*".to_owned()],
        ..StreamConfig::default()
    };
    let stream = jetstream.create_stream(stream).await.unwrap();
    let consumer = pull::Config {
        durable_name: Some("workers".to_owned()),
        ..pull::Config::default()
    };
    stream.create_consumer(consumer).await.unwrap();
    (server, service, jetstream)
}

/// Publish, store in a stream, put into a bucket: the three patterns, each with a connection of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the code that is migrated"
)]
async fn old_patterns(url: &str) -> Result<(), Error> {
    let client = connect(url).await?;
    client.publish("news", "message".into()).await?;
    client.flush().await?;
    client.drain().await?;

    let client = connect(url).await?;
    let jetstream = jetstream::new(client.clone());
    jetstream.publish("jobs.new", "job".into()).await?.await?;
    client.drain().await?;

    let client = connect(url).await?;
    let jetstream = jetstream::new(client.clone());
    let bucket = jetstream.get_key_value("status").await?;
    bucket.put("key", "value".into()).await?;
    client.drain().await?;
    Ok(())
}

async fn new_patterns() -> Result<(), Error> {
    let connection = nats_connection().await?;
    connection.publish("news", "message").await?;

    let (_connection, jetstream) = nats_jetstream().await?;
    jetstream.publish("jobs.new", "job".into()).await?.await?;

    let bucket = nats_kv_store("status").await?;
    bucket.put("key", "value").await?;
    Ok(())
}

#[tokio::test]
async fn old_and_new_patterns_give_the_same_results_on_fewer_connections() {
    let (server, service, jetstream) = setup_jobs().await;
    let bucket = nats_kv_store("status").create_if_missing(BucketConfig::default());
    let bucket = bucket.await.unwrap();
    let listener = service.connection().await.unwrap();
    let mut news = listener.subscribe("news").await.unwrap();
    listener.flush_confirmed().await.unwrap();
    let mut results = Vec::new();
    let mut connects = vec![server.total_connects().await];
    for new in [false, true] {
        bucket.delete("key").await.unwrap();
        match new {
            false => old_patterns(&server.url()).await.unwrap(),
            true => new_patterns().await.unwrap(),
        }
        let heard = timeout(SOON, news.next()).await.unwrap().unwrap();
        let stored = jetstream.get_stream("JOBS").await.unwrap();
        let stored = stored.get_last_raw_message_by_subject("jobs.new").await;
        let put = bucket.get("key").await.unwrap().unwrap();
        results.push([heard.payload, stored.unwrap().payload, put]);
        connects.push(server.total_connects().await);
    }
    assert_eq!(results[0], ["message", "job", "value"]);
    assert_eq!(results[0], results[1]);
    assert_eq!(connects, [1, 4, 4]);
}

struct Queue(ConnectionService);

impl Queue {
    async fn enqueue(&self, job: &Value) -> Result<(), Error> {
        let connection = self.0.connection().await?;
        let job = serde_json::to_vec(job)?;
        connection
            .publish_acked("jobs.new", HeaderMap::new(), job)
            .await?;
        Ok(())
    }

    async fn dequeue(&self) -> Result<Option<Value>, Error> {
        let (_connection, jetstream) = nats_jetstream().on(&self.0).await?;
        let consumer: PullConsumer = jetstream
            .get_consumer_from_stream("workers", "JOBS")
            .await?;
        let batch = consumer
            .fetch()
            .max_messages(1)
            .expires(Duration::from_secs(1));
        let Some(message) = batch.messages().await?.next().await else {
            return Ok(None);
        };
        let message = message?;
        message.ack().await?;
        Ok(Some(serde_json::from_slice(&message.payload)?))
    }
}

#[tokio::test]
async fn a_queue_on_the_service_gives_what_was_put_in_and_nothing_after_a_second() {
    let (server, service, _jetstream) = setup_jobs().await;
    let queue = Queue(service);
    queue.enqueue(&json!({ "id": 7 })).await.unwrap();
    assert_eq!(queue.dequeue().await.unwrap(), Some(json!({ "id": 7 })));
    let start = Instant::now();
    assert_eq!(queue.dequeue().await.unwrap(), None);
    assert!((900..PROMPT.as_millis()).contains(&start.elapsed().as_millis()));
    assert_eq!(server.total_connects().await, 1);
}

/// Acknowledges on success; on failure has it delivered again, and passes the error on.
async fn process_message(message: &Message) -> Result<(), Error> {
    let outcome = match &message.payload[..] {
        b"bad" => Err("the job failed".into()),
        _ => Ok(()),
    };
    match &outcome {
        Ok(()) => message.ack().await?,
        Err(_) => message.ack_with(AckKind::Nak(None)).await?,
    }
    outcome
}

#[tokio::test]
async fn a_job_that_is_done_is_acknowledged_once_and_one_that_failed_comes_again() {
    let (server, _service, jetstream) = setup_jobs().await;
    for payload in ["good", "bad"] {
        jetstream
            .publish("jobs.new", payload.into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let mut consumer: PullConsumer = jetstream
        .get_consumer_from_stream("workers", "JOBS")
        .await
        .unwrap();
    let mut messages = consumer.messages().await.unwrap();
    let mut next = async || {
        timeout(SOON, messages.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    };
    process_message(&next().await).await.unwrap();
    let error = process_message(&next().await).await.unwrap_err();
    assert_eq!(error.to_string(), "the job failed");
    let again = next().await;
    assert_eq!(again.payload, "bad");
    assert_eq!(again.info().unwrap().delivered, 2);
    again.double_ack().await.unwrap();
    let info = consumer.info().await.unwrap();
    assert_eq!((info.num_ack_pending, info.num_pending), (0, 0));
    assert_eq!(info.ack_floor.stream_sequence, 2);
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn an_event_is_json_on_the_subject_of_its_type() {
    let (server, service) = setup().await;
    service.install_global().unwrap();
    let listener = service.connection().await.unwrap();
    let mut events = listener.subscribe("events.>").await.unwrap();
    listener.flush_confirmed().await.unwrap();
    let publish_event = async |event_type: &str, data: &Value| {
        let connection = nats_connection().await?;
        let body = serde_json::to_vec(data)?;
        connection
            .publish(format!("events.{event_type}"), body)
            .await?;
        Ok::<_, Error>(())
    };
    publish_event("created", &json!({ "id": 7 })).await.unwrap();
    let event = timeout(SOON, events.next()).await.unwrap().unwrap();
    assert_eq!(event.subject.as_str(), "events.created");
    let body: Value = serde_json::from_slice(&event.payload).unwrap();
    assert_eq!(body, json!({ "id": 7 }));
    assert_eq!(server.total_connects().await, 1);
}

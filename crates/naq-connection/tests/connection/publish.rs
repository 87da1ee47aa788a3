//! Requests and acknowledged publishes.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Config;
use naq_connection::ConnectionErrorKind;
use tokio::time::timeout;

use crate::{SOON, setup};

fn stream(subject: &str) -> Config {
    Config {
        name: "S".to_owned(),
        subjects: vec![subject.to_owned()],
        ..Config::default()
    }
}

#[tokio::test]
async fn a_request_gets_its_reply_and_headers_travel() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut requests = connection.subscribe("echo").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("Trace", "t1");
    let reply = async {
        let request = requests.next().await.unwrap();
        assert_eq!(
            request.headers.unwrap().get("Trace").unwrap().as_str(),
            "t1"
        );
        let to = request.reply.unwrap();
        connection.publish(to, request.payload).await.unwrap();
    };
    let request = connection.request_with_headers("echo", headers, "hello");
    let (answer, ()) = timeout(SOON, async { tokio::join!(request, reply) })
        .await
        .unwrap();
    assert_eq!(answer.unwrap().payload, "hello");
}

#[tokio::test]
async fn a_request_that_nobody_serves_says_so_at_once() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let error = connection.request("nobody", "").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::NoResponders);
    assert!(error.is_transient() && !error.outcome_unknown());
}

#[tokio::test]
async fn a_request_without_a_reply_ends_at_its_deadline() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let _silent = connection.subscribe("silent").await.unwrap();
    let limit = Duration::from_millis(100);
    let request = connection.request_within("silent", HeaderMap::new(), "", limit);
    let error = timeout(SOON, request).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ConnectionErrorKind::Deadline { .. }));
    assert!(error.outcome_unknown());
}

#[tokio::test]
async fn wrong_subjects_and_large_payloads_are_final() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let error = connection.publish("a b", "").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::InvalidSubject);
    let error = connection.subscribe("a..b").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::InvalidSubject);
    let large = vec![0_u8; connection.max_payload() + 1];
    let error = connection.request("a", large).await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::PayloadTooLarge);
    assert!(!error.is_transient());
}

#[tokio::test]
async fn an_acknowledged_publish_tells_where_it_was_stored() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    connection
        .jetstream()
        .create_stream(stream("jobs.>"))
        .await
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "1");
    for duplicate in [false, true] {
        let publish = connection.publish_acked("jobs.a", headers.clone(), "x");
        let ack = publish.await.unwrap();
        assert_eq!(
            (ack.stream.as_str(), ack.sequence, ack.duplicate),
            ("S", 1, duplicate)
        );
    }
}

#[tokio::test]
async fn a_refused_publish_carries_the_servers_error_code() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    connection
        .jetstream()
        .create_stream(stream("jobs.>"))
        .await
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Last-Subject-Sequence", "7");
    let error = connection
        .publish_acked("jobs.a", headers, "x")
        .await
        .unwrap_err();
    let ConnectionErrorKind::Api { code, err_code, .. } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!((*code, *err_code), (400, 10071));
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_publish_that_no_stream_takes_is_not_an_unknown_outcome() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let error = connection
        .publish_acked("nowhere", HeaderMap::new(), "x")
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::NoResponders);
    assert!(error.is_transient() && !error.outcome_unknown());
}

#[tokio::test]
async fn a_lost_acknowledgement_is_an_unknown_outcome() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    // A stream that listens and does not acknowledge.
    let mut silent = connection.subscribe("jobs").await.unwrap();
    let publish = connection.publish_acked("jobs", HeaderMap::new(), "x");
    let killer = async {
        silent.next().await.unwrap();
        server.kill().await;
    };
    let (outcome, ()) = timeout(SOON, async { tokio::join!(publish, killer) })
        .await
        .unwrap();
    let error = outcome.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::OutcomeUnknown);
    assert!(error.outcome_unknown());
}

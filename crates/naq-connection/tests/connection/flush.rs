//! Confirmed flush.

use std::time::Duration;

use naq_connection::{ConnectionErrorKind, ConnectionService};
use tokio::time::timeout;

use crate::{SOON, behind_a_proxy, settings, setup};

#[tokio::test]
async fn after_a_confirmed_flush_the_server_has_read_every_publish() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let before = server.in_msgs().await;
    for _ in 0..10_000 {
        connection.publish("many", "0123456789").await.unwrap();
    }
    connection.flush_confirmed().await.unwrap();
    // The last one is the flush's own.
    assert_eq!(server.in_msgs().await, before + 10_001);
}

#[tokio::test]
async fn an_independent_subscriber_gets_what_was_flushed() {
    let (server, service) = setup().await;
    let other = ConnectionService::new(settings(&server.url()));
    let listener = other.connection().await.unwrap();
    let mut messages = listener.subscribe("seen.*").await.unwrap();
    listener.flush_confirmed().await.unwrap();

    let connection = service.connection().await.unwrap();
    for n in 0..10_000 {
        connection.publish(format!("seen.{n}"), "").await.unwrap();
    }
    connection.flush_confirmed().await.unwrap();
    for n in 0..10_000 {
        let message = timeout(SOON, messages.next()).await.unwrap().unwrap();
        assert_eq!(message.subject.as_str(), format!("seen.{n}"));
    }
}

#[tokio::test]
async fn a_listener_on_everything_does_not_stop_confirmations() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let _tap = connection.subscribe(">").await.unwrap();
    for _ in 0..3 {
        connection.publish("a", "b").await.unwrap();
        connection.flush_confirmed_within(SOON).await.unwrap();
    }
}

#[tokio::test]
async fn a_stalled_link_is_not_confirmed() {
    let (_server, service, proxy) = behind_a_proxy().await;
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
    proxy.stall();
    connection.publish("a", "b").await.unwrap();
    let limit = Duration::from_millis(200);
    let error = connection.flush_confirmed_within(limit).await.unwrap_err();
    assert!(
        matches!(error.kind(), ConnectionErrorKind::Deadline { .. }),
        "{error}"
    );
    proxy.resume();
    connection.flush_confirmed().await.unwrap();
}

#[tokio::test]
async fn messages_of_a_lost_connection_are_not_confirmed_by_the_next_one() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let unconcerned = service.connection().await.unwrap();
    connection.publish("a", "b").await.unwrap();
    let epoch = connection.state().epoch;
    server.restart().await;
    let mut states = connection.states();
    timeout(
        SOON,
        states.wait_for(|s| s.epoch > epoch && s.is_connected()),
    )
    .await
    .unwrap()
    .unwrap();
    let error = connection.flush_confirmed().await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::ConnectionLost { epoch });
    connection.flush_confirmed().await.unwrap();
    unconcerned.flush_confirmed().await.unwrap();
}

//! Messages with a reply address of the caller's own.

use async_nats::HeaderMap;
use naq_connection::{ConnectionErrorKind, StreamConfig, read_acknowledgement};
use tokio::time::timeout;

use crate::{SOON, setup, until};

#[tokio::test]
async fn acknowledgements_come_to_the_callers_own_inbox_or_say_that_no_stream_took_it() {
    let (_server, service) = setup().await;
    let config = StreamConfig {
        name: "S".to_owned(),
        subjects: vec!["s.>".to_owned()],
        ..StreamConfig::default()
    };
    service.streams().ensure(&config).await.unwrap();
    let connection = service.connection().await.unwrap();
    let inbox = connection.new_inbox();
    let mut replies = connection.subscribe(inbox.clone()).await.unwrap();
    let mut with_header = HeaderMap::new();
    with_header.insert("Kind", "second");
    let mut ask = async |subject, headers| {
        let published = connection.publish_with_reply(subject, inbox.clone(), headers, "x");
        published.await.unwrap();
        let reply = timeout(SOON, replies.next()).await;
        read_acknowledgement(&reply.unwrap().unwrap())
    };
    let first = ask("s.one", HeaderMap::new()).await.unwrap();
    let second = ask("s.two", with_header).await.unwrap();
    assert_eq!((first.sequence, second.sequence), (1, 2));
    let refused = ask("no.stream", HeaderMap::new()).await.unwrap_err();
    assert_eq!(*refused.kind(), ConnectionErrorKind::NoResponders);
    let published = service.metrics().publish.count;
    assert_eq!(published, 3);

    replies.unsubscribe().await.unwrap();
    assert!(timeout(SOON, replies.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn nothing_with_a_reply_address_is_queued_without_a_connection() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut drained = connection.subscribe("d").await.unwrap();
    connection.publish("d", "x").await.unwrap();
    connection.flush_confirmed().await.unwrap();
    drained.drain().await.unwrap();
    assert!(timeout(SOON, drained.next()).await.unwrap().is_some());
    assert!(timeout(SOON, drained.next()).await.unwrap().is_none());

    server.kill().await;
    until("the loss is noticed", async || {
        !connection.state().is_connected()
    })
    .await;
    let publish = connection.publish_with_reply("s", "r", HeaderMap::new(), "x");
    let error = publish.await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::NotConnected);
    assert!(!error.outcome_unknown(), "it is safe to try again");
}

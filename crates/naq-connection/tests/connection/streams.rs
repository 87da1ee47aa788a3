//! Streams: made, compared, updated, refused.

use std::time::Duration;

use naq_connection::{ConnectionErrorKind, Ensured, StreamConfig};

use async_nats::jetstream::stream::{
    Compression, ConsumerLimits, DiscardPolicy, RetentionPolicy, StorageType,
};

use crate::setup;

fn config(change: impl FnOnce(&mut StreamConfig)) -> StreamConfig {
    let mut config = StreamConfig {
        name: "S".to_owned(),
        subjects: vec!["s.>".to_owned()],
        ..StreamConfig::default()
    };
    change(&mut config);
    config
}

#[tokio::test]
async fn what_was_made_is_as_wanted_whatever_the_server_filled_in() {
    let (_server, service) = setup().await;
    let streams = service.streams();
    let mut wanted = vec![
        config(|c| c.subjects.clear()),
        config(|c| c.max_age = Duration::from_secs(30)),
        config(|c| c.storage = StorageType::Memory),
        config(|c| c.retention = RetentionPolicy::WorkQueue),
        config(|c| c.retention = RetentionPolicy::Interest),
        config(|c| c.max_messages_per_subject = 3),
        config(|c| c.compression = Some(Compression::S2)),
        config(|c| c.compression = Some(Compression::None)),
        config(|c| c.description = Some("text".to_owned())),
        config(|c| drop(c.metadata.insert("owner".to_owned(), "me".to_owned()))),
        config(|c| c.discard = DiscardPolicy::New),
        config(|c| (c.allow_message_ttl, c.allow_direct) = (true, true)),
        config(|c| (c.deny_delete, c.deny_purge) = (true, true)),
        config(|c| c.consumer_limits = Some(ConsumerLimits::default())),
        config(|c| (c.max_messages, c.max_bytes, c.max_consumers) = (-1, -1, -1)),
    ];
    for (n, config) in wanted.iter_mut().enumerate() {
        config.name = format!("S{n}");
        config
            .subjects
            .iter_mut()
            .for_each(|s| *s = format!("s{n}.>"));
        assert_eq!(streams.ensure(config).await.unwrap(), Ensured::Created);
        let again = streams.ensure(config).await.unwrap();
        assert_eq!(again, Ensured::Unchanged, "{config:?}");
    }
    let names = streams.names(100).await.unwrap();
    assert_eq!(names.len(), wanted.len());
    assert_eq!(streams.names(2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_differs_is_updated_and_told() {
    let (_server, service) = setup().await;
    let streams = service.streams();
    streams.ensure(&config(|_| {})).await.unwrap();
    let other = config(|c| {
        c.subjects.push("t.>".to_owned());
        c.max_messages = 7;
        c.max_consumers = 5000;
    });
    let Ensured::Updated { changes } = streams.ensure(&other).await.unwrap() else {
        panic!("nothing was changed")
    };
    let told: Vec<_> = changes.iter().map(ToString::to_string).collect();
    let expected = [
        "max_consumers: -1 -> 5000",
        "max_msgs: -1 -> 7",
        r#"subjects: ["s.>"] -> ["s.>","t.>"]"#,
    ];
    assert_eq!(told, expected);
    let info = streams.info("S").await.unwrap().unwrap();
    assert_eq!(info.config.max_messages, 7);
    assert_eq!(streams.ensure(&other).await.unwrap(), Ensured::Unchanged);
}

#[tokio::test]
async fn what_cannot_change_is_refused_by_name_and_nothing_is_changed() {
    let (_server, service) = setup().await;
    let streams = service.streams();
    streams.ensure(&config(|_| {})).await.unwrap();
    let impossible = config(|c| {
        c.storage = StorageType::Memory;
        c.retention = RetentionPolicy::WorkQueue;
        c.max_messages = 7;
    });
    let error = streams.ensure(&impossible).await.unwrap_err();
    let ConnectionErrorKind::Incompatible { changes } = error.kind() else {
        panic!("{error}")
    };
    let fields: Vec<_> = changes.iter().map(|change| &*change.field).collect();
    assert_eq!(fields, ["retention", "storage"]);
    let text = error.to_string();
    assert!(text.contains(r#"storage: "file" -> "memory""#), "{text}");
    assert!(text.contains("use another name"), "{text}");
    assert!(!error.is_transient());
    let info = streams.info("S").await.unwrap().unwrap();
    assert_eq!(info.config.max_messages, -1);

    // The server's own refusal of an update is told in the same way.
    let bad = config(|c| c.max_messages_per_subject = 5);
    let bad = StreamConfig {
        discard: DiscardPolicy::Old,
        discard_new_per_subject: true,
        ..bad
    };
    let error = streams.ensure(&bad).await.unwrap_err();
    assert!(
        matches!(error.kind(), ConnectionErrorKind::Incompatible { changes } if !changes.is_empty()),
        "{error}"
    );
}

#[tokio::test]
async fn ten_at_once_make_one_stream() {
    let (_server, service) = setup().await;
    let streams = service.streams();
    let wanted = config(|_| {});
    let all = (0..10).map(|_| streams.ensure(&wanted));
    for outcome in futures::future::join_all(all).await {
        outcome.unwrap();
    }
    assert_eq!(streams.names(10).await.unwrap(), ["S"]);
}

#[tokio::test]
async fn streams_are_emptied_and_deleted_and_what_is_not_there_is_said_so() {
    let (_server, service) = setup().await;
    let streams = service.streams();
    streams.ensure(&config(|_| {})).await.unwrap();
    let connection = service.connection().await.unwrap();
    for subject in ["s.a", "s.a", "s.b"] {
        let ack = connection.publish_acked(subject, Default::default(), "x");
        ack.await.unwrap();
    }
    assert_eq!(streams.purge("S", Some("s.a")).await.unwrap(), 2);
    assert_eq!(streams.purge("S", None).await.unwrap(), 1);
    streams.delete("S").await.unwrap();
    assert!(streams.info("S").await.unwrap().is_none());
    let error = streams.delete("S").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::NotFound);
    let error = streams.info("a.b").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::InvalidName);
}

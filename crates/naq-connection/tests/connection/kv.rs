//! Buckets.

use std::collections::BTreeSet;
use std::time::Duration;

use naq_connection::{
    BucketConfig, ConnectionError, ConnectionErrorKind, ConnectionService, Ensured, KvOperation,
    KvStore, nats_kv_store, shutdown_global, with_jetstream, with_kv_store, with_nats_connection,
};

use crate::records::Log;
use crate::server::TestServer;
use crate::{PROMPT, SOON, settings, setup, until};

fn with_history(history: i64) -> BucketConfig {
    BucketConfig {
        history,
        ..BucketConfig::default()
    }
}

async fn setup_bucket() -> (TestServer, ConnectionService, KvStore) {
    let (server, service) = setup().await;
    let kv = service.kv("b").create_if_missing(with_history(5));
    (server, service.clone(), kv.await.unwrap())
}

#[tokio::test]
async fn what_is_put_is_read_again_as_text_and_as_bytes_and_the_connection_goes_with_the_scope() {
    let (server, service) = setup().await;
    service.install_global().unwrap();
    let kv = nats_kv_store("status").create_if_missing(with_history(1));
    let kv = kv.await.unwrap();
    kv.put("text", "value").await.unwrap();
    kv.put("bytes", vec![0, 159, 146, 150]).await.unwrap();
    drop(kv);

    let read = with_kv_store("status", async |kv| {
        Ok::<_, ConnectionError>((kv.get("text").await?, kv.get("bytes").await?))
    });
    let (text, bytes) = read.await.unwrap();
    assert_eq!(&text.unwrap()[..], b"value");
    assert_eq!(&bytes.unwrap()[..], [0, 159, 146, 150]);
    assert_eq!(service.leases(), 0);
    assert_eq!(server.total_connects().await, 1);
    shutdown_global(SOON).await.unwrap();
    until("the server has noticed", async || {
        server.connections().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_key_has_revisions_and_is_changed_only_from_the_expected_one() {
    let (_server, _service, kv) = setup_bucket().await;
    let first = kv.create("k", "1").await.unwrap();
    let second = kv.update("k", "2", first).await.unwrap();

    let stale = kv.update("k", "3", first).await.unwrap_err();
    let revision = Some(second);
    assert_eq!(*stale.kind(), ConnectionErrorKind::Conflict { revision });
    assert!(!stale.is_transient() && !stale.outcome_unknown());
    let there = kv.create("k", "3").await.unwrap_err();
    assert_eq!(*there.kind(), ConnectionErrorKind::Conflict { revision });
    assert_eq!(&kv.get("k").await.unwrap().unwrap()[..], b"2");

    kv.delete("k").await.unwrap();
    assert_eq!(kv.get("k").await.unwrap(), None);
    let entry = kv.entry("k").await.unwrap().unwrap();
    assert_eq!(entry.operation, KvOperation::Delete);
    let again = kv.create("k", "4").await.unwrap();
    let history = kv.history("k").await.unwrap();
    let values: Vec<_> = history.iter().map(|entry| &entry.value[..]).collect();
    assert_eq!(values, [&b"1"[..], b"2", b"", b"4"]);
    assert_eq!(history[3].revision, again);

    kv.purge("k").await.unwrap();
    assert_eq!(kv.history("k").await.unwrap().len(), 1);
    assert_eq!(kv.entry("never").await.unwrap(), None);
}

#[tokio::test]
async fn keys_are_listed_up_to_a_limit_without_the_deleted_ones() {
    let (_server, _service, kv) = setup_bucket().await;
    assert_eq!(kv.keys(10).await.unwrap().keys, Vec::<String>::new());
    let items = (0..10).map(|n| (format!("k{n}"), "x"));
    assert_eq!(kv.put_many(items).await.stored.len(), 10);
    kv.delete("k3").await.unwrap();
    let all = kv.keys(9).await.unwrap();
    let names: BTreeSet<_> = all.keys.iter().map(String::as_str).collect();
    assert!(
        names.len() == 9 && !names.contains("k3") && !all.more,
        "{names:?}"
    );
    let some = kv.keys(4).await.unwrap();
    assert!(some.keys.len() == 4 && some.more);
}

#[tokio::test]
async fn a_thousand_puts_go_together_and_one_that_fails_stops_no_other() {
    let (server, _service, kv) = setup_bucket().await;
    let key = |n| match n {
        400 => "not a key".to_owned(),
        n => format!("k{n}"),
    };
    let report = kv
        .put_many((0..1000).map(|n| (key(n), n.to_string())))
        .await;
    assert_eq!((report.stored.len(), report.failed.len()), (999, 1));
    let (name, error) = &report.failed[0];
    assert_eq!(name, "not a key");
    assert_eq!(*error.kind(), ConnectionErrorKind::InvalidName);
    let revisions: BTreeSet<_> = report
        .stored
        .iter()
        .map(|(_, revision)| *revision)
        .collect();
    assert_eq!(revisions.len(), 999);
    assert_eq!(&kv.get("k999").await.unwrap().unwrap()[..], b"999");
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn a_watch_tells_what_is_there_and_then_each_change_also_after_a_reconnect() {
    let (server, service, kv) = setup_bucket().await;
    kv.put("jobs.a", "1").await.unwrap();
    kv.put("other", "x").await.unwrap();
    let mut watch = kv.watch("jobs.*").await.unwrap();
    let mut seen = async |expected: (&str, &[u8], KvOperation)| {
        let entry = tokio::time::timeout(Duration::from_secs(30), watch.next()).await;
        let entry = entry.unwrap().unwrap().unwrap();
        let seen = (&*entry.key, &entry.value[..], entry.operation);
        assert_eq!(seen, expected);
    };
    seen(("jobs.a", b"1", KvOperation::Put)).await;
    kv.put("jobs.b", "2").await.unwrap();
    seen(("jobs.b", b"2", KvOperation::Put)).await;

    server.restart().await;
    until("the bucket is there again", async || {
        kv.get("jobs.b").await.is_ok()
    })
    .await;
    kv.delete("jobs.b").await.unwrap();
    seen(("jobs.b", b"", KvOperation::Delete)).await;
    drop((watch, kv));
    assert_eq!(service.leases(), 0);
}

#[tokio::test]
async fn a_key_with_a_time_of_its_own_goes_away_and_other_buckets_refuse_such_keys() {
    let (_server, service, kv) = setup_bucket().await;
    let error = kv.put_with_ttl("k", "x", Duration::from_secs(1)).await;
    let error = error.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::InvalidSettings);
    assert!(error.to_string().contains("limit_markers"), "{error}");

    let config = BucketConfig {
        limit_markers: Some(Duration::from_secs(60)),
        ..BucketConfig::default()
    };
    let kv = service.kv("short").create_if_missing(config).await.unwrap();
    kv.put_with_ttl("k", "x", Duration::from_millis(1))
        .await
        .unwrap();
    kv.put("stays", "x").await.unwrap();
    assert!(kv.get("k").await.unwrap().is_some());
    until("the key is gone", async || {
        kv.get("k").await.unwrap().is_none()
    })
    .await;
    assert!(kv.get("stays").await.unwrap().is_some());
}

#[tokio::test]
async fn a_missing_bucket_is_one_record_with_its_name_and_a_typed_error() {
    let (log, _guard) = Log::start();
    let (_server, service) = setup().await;
    service.install_global().unwrap();
    let result: Result<(), ConnectionError> = with_nats_connection(async |_| {
        with_jetstream(async |_| with_kv_store("nowhere", async |_| Ok(())).await).await
    })
    .await;
    let error = result.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::NotFound);
    assert!(error.to_string().contains("create_if_missing"), "{error}");
    let errors = log.ours("ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let told = format!("KV store error for bucket nowhere: {error}");
    assert!(errors[0].contains(&told), "{errors:#?}");
}

#[tokio::test]
async fn a_bucket_is_asked_for_once_and_again_after_it_was_deleted() {
    let (server, service, kv) = setup_bucket().await;
    let before = server.in_msgs().await;
    for _ in 0..10 {
        service.kv("b").await.unwrap();
    }
    assert_eq!(server.in_msgs().await, before, "no request was made");

    service.streams().delete("KV_b").await.unwrap();
    for gone in [
        kv.put("k", "x").await.unwrap_err(),
        kv.get("k").await.unwrap_err(),
        service.kv("b").await.unwrap_err(),
    ] {
        assert_eq!(*gone.kind(), ConnectionErrorKind::NotFound, "{gone}");
    }
    service
        .kv("b")
        .create_if_missing(with_history(1))
        .await
        .unwrap();
    kv.put("k", "new").await.unwrap();
    assert_eq!(&kv.get("k").await.unwrap().unwrap()[..], b"new");
}

#[tokio::test]
async fn a_bucket_is_made_what_is_asked_for_and_taken_as_it_is_by_who_only_opens_it() {
    let (server, service) = setup().await;
    let config = |history, max_age| BucketConfig {
        max_age: Duration::from_secs(max_age),
        ..with_history(history)
    };
    let ensure = async |config| service.kv("b").ensure(config).await.unwrap();
    assert_eq!(ensure(config(3, 60)).await, Ensured::Created);
    assert_eq!(ensure(config(3, 60)).await, Ensured::Unchanged);
    let Ensured::Updated { changes } = ensure(config(4, 60)).await else {
        panic!("nothing was changed")
    };
    let told: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["max_msgs_per_subject: 3 -> 4"]);
    service
        .kv("b")
        .create_if_missing(config(9, 60))
        .await
        .unwrap();
    assert_eq!(ensure(config(4, 60)).await, Ensured::Unchanged);

    // What the client makes is what we make.
    let (_connection, js) = naq_connection::nats_jetstream().on(&service).await.unwrap();
    let made = BucketConfig {
        bucket: "theirs".to_owned(),
        limit_markers: Some(Duration::from_secs(5)),
        compression: true,
        ..config(2, 600)
    };
    js.create_key_value(made.clone()).await.unwrap();
    let ours = service.kv("theirs").ensure(made).await.unwrap();
    assert_eq!(ours, Ensured::Unchanged);
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn names_that_cannot_be_are_refused_without_a_request() {
    let (server, service, kv) = setup_bucket().await;
    let before = server.in_msgs().await;
    for error in [
        kv.put("a b", "x").await.unwrap_err(),
        kv.get("a.*").await.unwrap_err(),
        service.kv("a.b").await.unwrap_err(),
    ] {
        assert_eq!(*error.kind(), ConnectionErrorKind::InvalidName, "{error}");
    }
    assert_eq!(server.in_msgs().await, before);
}

#[tokio::test]
async fn calls_on_a_dead_server_end_at_their_deadline_and_say_whether_a_repeat_is_safe() {
    let server = TestServer::start().await;
    let mut settings = settings(&server.url());
    settings.request_timeout = Duration::from_millis(500);
    let service = ConnectionService::new(settings);
    let kv = service
        .kv("b")
        .create_if_missing(with_history(1))
        .await
        .unwrap();
    server.kill().await;
    let start = std::time::Instant::now();
    for error in [
        kv.get("k").await.unwrap_err(),
        kv.put("k", "x").await.unwrap_err(),
    ] {
        assert!(error.is_transient(), "{error}");
    }
    assert!(kv.keys(1).await.unwrap_err().is_transient());
    assert!(start.elapsed() < PROMPT);
}

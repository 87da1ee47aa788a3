//! What a producer can get wrong: each mistake is told by name, the job is kept whole, and the worker goes on.

use std::time::Duration;

use async_nats::HeaderMap;
use naq_jobs::{JobStatus, Status};
use naq_testing::eventually;
use serde_json::{Map, Value, json};

use crate::dead::{healthy_worker, letter};
use crate::setup::{Bed, ECHO, LONG, job_id};

/// A worker whose leases are short: what it cannot settle comes back, and is seen.
async fn bed() -> Bed {
    Bed::with(|s| {
        s.queues.ack_wait = Duration::from_secs(2);
        s.queues.unknown_kind_after = Duration::ZERO;
        s.payloads.max_size = 1024 * 1024;
    })
    .await
}

/// A body, the reason of its dead letter, and what the error says.
const MISTAKES: [(&str, &str, &str); 16] = [
    (
        r#"{"v":1,"payload":1}"#,
        "undecodable",
        "missing field `kind`",
    ),
    (
        r#"{"kind":"echo","payload":1}"#,
        "undecodable",
        "missing field `v`",
    ),
    (
        r#"{"v":1,"kind":"echo"}"#,
        "undecodable",
        "missing field `payload`",
    ),
    (
        r#"{"v":1,"kind":"echo","payload":1,}"#,
        "undecodable",
        "trailing comma",
    ),
    (
        r#"{"v":9,"kind":"echo","payload":1}"#,
        "unsupported_version",
        "version is 9",
    ),
    (
        r#"{"v":"1","kind":"echo","payload":1}"#,
        "undecodable",
        "field `v`",
    ),
    (
        r#"{"v":1,"kind":"a b","payload":1}"#,
        "undecodable",
        "field `kind`",
    ),
    (
        r#"{"v":1,"kind":"nobody","payload":1}"#,
        "unknown_kind",
        "nobody",
    ),
    (
        r#"{"v":1,"kind":"echo","payload":1,"retry":{"retries":"3"}}"#,
        "undecodable",
        "field `retry.retries`",
    ),
    (
        r#"{"v":1,"kind":"echo","payload":1,"retry":{"strategy":"warp"}}"#,
        "undecodable",
        "field `retry.strategy`",
    ),
    (
        r#"{"v":1,"kind":"echo","payload":1,"timeout_ms":-5}"#,
        "undecodable",
        "field `timeout_ms`",
    ),
    (
        r#"{"v":1,"kind":"echo","payload":1,"payload_zlib":"eJw="}"#,
        "undecodable",
        "more than one of",
    ),
    (
        r#"{"v":1,"kind":"echo","payload_ref":{"object":"x","size":1,"digest":"d","encoding":"brotli"}}"#,
        "undecodable",
        "field `payload_ref.encoding`",
    ),
    (
        r#"{"v":1,"kind":"echo","payload_ref":{"object":"nothing","size":1,"digest":"SHA-256=x"}}"#,
        "payload_missing",
        "nothing",
    ),
    (
        r#"{"v":1,"kind":"echo","payload_ref":{"object":"x","size":99999999999,"digest":"d"}}"#,
        "payload_missing",
        "payloads.max_size",
    ),
    (
        r#"{"v":1,"kind":"echo","payload":1,"flow":{"id":7}}"#,
        "undecodable",
        "field `flow.id`",
    ),
];

#[tokio::test]
async fn each_mistake_is_named_and_the_job_is_buried_whole() {
    let bed = bed().await;
    let worker = healthy_worker(&bed, "mail").await;
    for (n, (body, reason, text)) in MISTAKES.into_iter().enumerate() {
        let id = bed.publish("mail", &format!("wrong-{n}"), body).await;
        let dead = letter(&bed, &id).await;
        assert_eq!(dead.reason, reason, "{body}");
        assert!(dead.error.contains(text), "{body}: {}", dead.error);
        assert_eq!(dead.body, body.as_bytes(), "byte for byte");
    }
    touches_no_payload_of_others(&bed).await;
    // A subject that belongs to no stream is told at once: nobody listens there.
    let conn = bed.conn().await;
    for subject in ["naq.queue.mail", "naq.queue.mail.a.b", "naq.urgent.mail.x"] {
        let sent = conn.publish_acked(subject, HeaderMap::new(), "{}").await;
        assert!(sent.is_err(), "{subject}");
    }
    let job = ECHO.job(&json!("good")).unwrap().queue("mail").unwrap();
    let handle = bed.jobs.enqueue(job).await.unwrap();
    assert_eq!(handle.result(LONG).await.unwrap(), "good");
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (1, 19), "{report:?}");
    assert_eq!(report.abandoned, 0, "{report:?}");
}

/// What would be a wildcard touches nobody else's payload, also when its dead letter is removed.
async fn touches_no_payload_of_others(bed: &Bed) {
    let large = json!("x".repeat(700_000));
    let large = ECHO.job(&large).unwrap().queue("held").unwrap();
    bed.jobs.enqueue(large).await.unwrap();
    let kept = bed.server.jsz().await.messages("OBJ_naq_payloads");
    for (n, object) in ["*", ">", "a.b"].into_iter().enumerate() {
        let reference = json!({ "object": object, "size": 1, "digest": "SHA-256=" });
        let body = json!({ "v": 1, "kind": "echo", "payload_ref": reference }).to_string();
        let id = bed.publish("mail", &format!("wild-{n}"), body).await;
        let dead = letter(bed, &id).await;
        assert!(
            dead.error.contains("field `payload_ref.object`"),
            "{}",
            dead.error
        );
        assert!(bed.jobs.dead_letters().delete(&id).await.unwrap());
    }
    assert_eq!(bed.server.jsz().await.messages("OBJ_naq_payloads"), kept);
}

/// Values of each field that somebody may write, right and wrong.
fn values(field: &str) -> Vec<Value> {
    let own = match field {
        "v" => json!([1, 1, 1, 1, 1, 2, 0, "1", 1e99]),
        "kind" => json!([
            "echo",
            "echo",
            "echo",
            "echo",
            "nobody",
            "a b",
            "",
            "größe",
            "x".repeat(129)
        ]),
        "payload" => json!([1, "x", [[[]]], {"a": {"b": null}}, "\u{0}"]),
        "payload_ref" => json!([
            {"object": "x", "size": 1, "digest": ""}, {"object": "a.b > *", "size": 0, "digest": "SHA-256="},
            {"object": "", "size": 1, "digest": "", "encoding": "zlib"}, {}
        ]),
        "payload_zlib" => json!(["", "eJw=", "x", "eJyrVkpLzEpVslIqLU4tykvMTVWqBQA7AwaR"]),
        "retry" => json!([
            {}, {"retries": 3, "delay_ms": 1}, {"retries": 4_294_967_295_u32, "delay_ms": []},
            {"retries": 1, "delay_ms": u64::MAX, "strategy": "exponential"}, {"retries": -1}, {"jitter": "lots"}, "often"
        ]),
        "timeout_ms" => json!([0, 1, u64::MAX, -1, "5"]),
        "result_ttl_s" | "enqueued_at_ms" => json!([0, 1, u64::MAX, 1e300]),
        "keep_result" | "strict" => json!([true, false, true, false, "yes"]),
        "expires_at_ms" | "deadline_ms" => json!([u64::MAX, 0, 1, 9_999_999_999_999_u64, -1]),
        "payload_version" => json!([1, 1, 0, 99, -1]),
        "flow" => json!([
            {"id": "nobody", "node": 0}, {"id": "a b", "node": 1}, {"id": "a.b", "node": 1}, {"id": "", "node": 0},
            {"id": ">", "node": u32::MAX, "round": u32::MAX}, {"id": "*", "node": 1}, {"id": "\r\n+OK", "node": 1}, {"id": 7}
        ]),
        _ => json!([[1]]),
    };
    let mut values = own.as_array().unwrap().clone();
    values.push(Value::Null);
    values
}

/// An envelope, mostly a good one, with up to three fields of any value.
fn envelope(random: &mut fastrand::Rng) -> Vec<u8> {
    const FIELDS: [&str; 16] = [
        "v",
        "kind",
        "payload",
        "payload_ref",
        "payload_zlib",
        "retry",
        "timeout_ms",
        "result_ttl_s",
        "enqueued_at_ms",
        "keep_result",
        "strict",
        "expires_at_ms",
        "deadline_ms",
        "payload_version",
        "flow",
        "later",
    ];
    let mut fields = Map::new();
    for (name, value) in [
        ("v", json!(1)),
        ("kind", json!("echo")),
        ("payload", json!(1)),
    ] {
        fields.insert(name.to_owned(), value);
    }
    for _ in 0..random.usize(1..=3) {
        let field = FIELDS[random.usize(..FIELDS.len())];
        let values = values(field);
        fields.insert(
            field.to_owned(),
            values[random.usize(..values.len())].clone(),
        );
        if field.starts_with("payload_") && field != "payload_version" {
            fields.remove("payload");
        }
    }
    let mut body = serde_json::to_vec(&fields).unwrap();
    if random.u8(..) < 20 {
        body.truncate(random.usize(..body.len()));
    }
    body
}

fn headers(random: &mut fastrand::Rng) -> HeaderMap {
    const NAMES: [&str; 11] = [
        "Naq-Retry",
        "Naq-Attempt",
        "Naq-Snooze",
        "Naq-Fence",
        "Naq-Parked",
        "Naq-Parked-At",
        "Naq-Limit-Key",
        "Naq-Priority",
        "Naq-Schedule",
        "Naq-Booked",
        "traceparent",
    ];
    const VALUES: [&str; 8] = [
        "",
        "0",
        "1",
        "-1",
        "18446744073709551615",
        "x y",
        "größe",
        "00-1-2-3",
    ];
    let mut headers = HeaderMap::new();
    for _ in 0..random.usize(..=2) {
        let name = NAMES[random.usize(..NAMES.len())];
        headers.append(name, VALUES[random.usize(..VALUES.len())]);
    }
    headers
}

/// A small fuzz of the real worker loop, with a seed that is said: nothing is lost, nothing comes back again and again.
#[tokio::test]
async fn whatever_a_producer_writes_ends_somewhere_whole_and_the_worker_lives() {
    const JOBS: usize = 300;
    let seed = std::env::var("NAQ_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("NAQ_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let bed = bed().await;
    let conn = bed.conn().await;
    let mut bodies = Vec::new();
    for n in 0..JOBS {
        let (body, fields) = (envelope(&mut random), headers(&mut random));
        let subject = format!("naq.queue.mail.fuzz-{n}");
        conn.publish_acked(subject, fields, body.clone())
            .await
            .unwrap();
        bodies.push(body);
    }
    let worker = healthy_worker(&bed, "mail").await;
    eventually(LONG, async || {
        let held = bed.subjects("naq_jobs", "naq.queue.mail.*").await;
        held.is_empty().then_some(()).ok_or(held)
    })
    .await;
    for (n, body) in bodies.iter().enumerate() {
        let id = job_id(&format!("fuzz-{n}"));
        let info = bed.jobs.job(&id).await.unwrap();
        let text = String::from_utf8_lossy(body);
        let is_whole = match &info.status {
            // It completed without keeping a result, or its outcome was kept for a second.
            JobStatus::Unknown => text.contains("keep_result") || text.contains("result_ttl_s"),
            JobStatus::Ended {
                outcome,
                has_dead_letter,
            } => {
                let status = outcome.as_ref().map(|outcome| outcome.status);
                status != Some(Status::Failed)
                    || (*has_dead_letter && info.body.as_deref() == Some(&body[..]))
            }
            _ => info.body.as_deref() == Some(&body[..]),
        };
        assert!(is_whole, "seed {seed}: {text}: {info:?}");
    }
    let job = ECHO.job(&json!("good")).unwrap().queue("mail").unwrap();
    let handle = bed.jobs.enqueue(job).await.unwrap();
    assert_eq!(handle.result(LONG).await.unwrap(), "good");
    let report = worker.stop(LONG).await;
    assert_eq!(report.abandoned, 0, "seed {seed}: {report:?}");
}

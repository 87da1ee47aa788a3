//! What other programs may put on the wire: newer, broken, hostile, and with headers of their own.

use std::time::Duration;

use async_nats::{HeaderMap, Message};
use naq_jobs::{FailureReason, JobContext, JobError, JobsErrorKind, Status, Unique};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::dead::{healthy_worker, letter};
use crate::python::from_pypi;
use crate::setup::{Bed, ECHO, LONG, job_id};

/// Bytes that look random and are the same in each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn an_envelope_of_a_newer_version_is_parked_as_such() {
    let bed = Bed::new().await;
    let worker = healthy_worker(&bed, "mail").await;
    for (name, body) in [
        ("v2-same", r#"{"v":2,"kind":"echo","payload":1}"#),
        ("v2-other", r#"{"v":2,"job":{"name":"echo"}}"#),
        ("v0", r#"{"v":0,"kind":"echo","payload":1}"#),
    ] {
        let id = bed.publish("mail", name, body).await;
        let outcome = bed.jobs.results().wait(&id, LONG).await.unwrap();
        let failure = outcome.error.unwrap();
        assert_eq!(failure.reason, FailureReason::UnsupportedVersion, "{name}");
        let dead = letter(&bed, &id).await;
        assert_eq!(dead.reason, "unsupported_version", "{name}");
        assert_eq!(dead.body, body.as_bytes());
    }
    worker.stop(LONG).await;
}

/// AC-25, W-11.
#[tokio::test]
async fn a_hundred_corrupt_bodies_are_parked_whole_between_good_jobs() {
    let bed = Bed::new().await;
    let mut bad = vec![
        Vec::new(),
        b"null".to_vec(),
        b"\xff\xfe\xfd".to_vec(),
        br#"{"v":1,"kind":"echo"}"#.to_vec(),
        br#"{"v":1,"kind":"echo","payload":1"#.to_vec(),
        br#"{"v":1,"kind":"a b","payload":1}"#.to_vec(),
        b"{\"v\":1,\"kind\":\"echo\",\"payload\":\"\xc3\x28\"}".to_vec(),
        "[".repeat(50_000).into_bytes(),
        br#"{"v":1,"kind":"echo","payload":1,"retry":"often"}"#.to_vec(),
        b"\x80\x04\x95pickle.".to_vec(),
    ];
    for seed in 0..90 {
        bad.push(noise(seed, 7 + 31 * usize::try_from(seed).unwrap()));
    }
    let mut good = Vec::new();
    for (n, body) in bad.iter().enumerate() {
        bed.publish("mail", &format!("bad-{n}"), body.clone()).await;
        let job = ECHO.job(&json!(n)).unwrap().queue("mail").unwrap();
        good.push(bed.jobs.enqueue(job).await.unwrap());
    }
    let worker = healthy_worker(&bed, "mail").await;
    for (n, job) in good.iter().enumerate() {
        assert_eq!(job.result(LONG).await.unwrap(), json!(n));
    }
    for (n, body) in bad.iter().enumerate() {
        let dead = letter(&bed, &job_id(&format!("bad-{n}"))).await;
        assert_eq!(dead.body, *body, "bad-{n}");
        assert_eq!((dead.reason.as_str(), dead.kind), ("undecodable", None));
    }
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let report = worker.stop(LONG).await;
    assert_eq!(
        (report.completed, report.failed, report.abandoned),
        (100, 100, 0)
    );
}

#[tokio::test]
async fn a_subject_that_ends_in_no_job_id_is_parked_and_can_be_requeued() {
    let bed = Bed::new().await;
    let worker = healthy_worker(&bed, "mail").await;
    let body = r#"{"v":1,"kind":"echo","payload":"hello"}"#;
    let subject = "naq.queue.mail.größe$1";
    let conn = bed.conn().await;
    let ack = conn.publish_acked(subject, HeaderMap::new(), body).await;
    let prefix = format!("seq-{}-", ack.unwrap().sequence);
    let letters = bed.jobs.dead_letters();
    let dead = eventually(LONG, async || {
        let page = letters.list(None, 0, 10).await.unwrap();
        page.letters.into_iter().next().ok_or("no dead letter yet")
    })
    .await;
    let id = dead.id.clone();
    assert!(id.as_str().starts_with(&prefix), "{id}");
    assert_eq!(
        (dead.reason.as_str(), &dead.body[..]),
        ("undecodable", body.as_bytes())
    );
    assert!(dead.error.contains("größe$1"), "{}", dead.error);
    bed.jobs.dead_letters().requeue(&id).await.unwrap();
    eventually_eq(LONG, Some(Status::Completed), async || {
        let found = bed.jobs.results().find(&id).await.unwrap();
        found.map(|outcome| outcome.status)
    })
    .await;
    worker.stop(LONG).await;
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
}

#[tokio::test]
async fn garbage_that_fills_the_servers_limit_is_still_parked_whole() {
    let bed = Bed::new().await;
    let worker = healthy_worker(&bed, "mail").await;
    let before = bed.server.varz().await.total_connections;
    let limit = bed.conn().await.max_payload();
    for (name, spare) in [("full", 0), ("nearly", 40), ("almost", 200)] {
        let body = noise(9, limit - spare);
        let id = bed.publish("mail", name, body.clone()).await;
        let dead = letter(&bed, &id).await;
        assert!(
            dead.body == body,
            "{name}: {} bytes are left",
            dead.body.len()
        );
        let outcome = bed.jobs.results().wait(&id, LONG).await.unwrap();
        assert_eq!(outcome.error.unwrap().reason, FailureReason::Undecodable);
    }
    assert_eq!(bed.server.varz().await.total_connections, before);
    let report = worker.stop(LONG).await;
    assert_eq!((report.failed, report.abandoned), (3, 0));
    // There is no room for what a requeue has to say, so it is refused, and the letter stays.
    let full = job_id("full");
    let error = bed.jobs.dead_letters().requeue(&full).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::TooLarge);
    assert_eq!(letter(&bed, &full).await.body.len(), limit);
    bed.emptied().await;
}

fn header(message: &Message, name: &str) -> Vec<String> {
    let values = message.headers.as_ref().map(|h| h.get_all(name));
    values.map_or_else(Vec::new, |all| all.map(ToString::to_string).collect())
}

#[tokio::test]
async fn the_senders_headers_survive_retry_dead_letter_and_requeue() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let bed = Bed::new().await;
    let (seen, mut attempts) = mpsc::unbounded_channel();
    let failing =
        bed.jobs
            .worker()
            .queue("mail")
            .handle(ECHO, move |context: JobContext, _: Value| {
                let trace = context
                    .headers()
                    .get("traceparent")
                    .map(ToString::to_string);
                seen.send((context.attempt(), trace)).unwrap();
                async { Err::<Value, _>(JobError::message("no")) }
            });
    let worker = failing.start().await.unwrap();
    // The first retry is made under the lease, the second by the server's schedule.
    let body = r#"{"v":1,"kind":"echo","payload":1,"retry":{"retries":2,"delay_ms":[10,1000]}}"#;
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", TRACE);
    headers.append("tag", "a");
    headers.append("tag", "b");
    let conn = bed.conn().await;
    let subject = "naq.queue.mail.traced";
    conn.publish_acked(subject, headers, body).await.unwrap();
    letter(&bed, &job_id("traced")).await;
    for attempt in 1..=3 {
        let seen = tokio::time::timeout(LONG, attempts.recv()).await.unwrap();
        assert_eq!(seen, Some((attempt, Some(TRACE.to_owned()))));
    }
    worker.stop(LONG).await;
    let raw = |stream: &str, subject: &str| {
        let subject = format!("$JS.API.DIRECT.GET.{stream}.{subject}");
        let conn = conn.clone();
        async move { conn.request(subject, "").await.unwrap() }
    };
    let dead = raw("naq_failed_jobs", "naq.failed.mail.traced").await;
    assert_eq!(dead.payload, body.as_bytes());
    bed.jobs
        .dead_letters()
        .requeue(&job_id("traced"))
        .await
        .unwrap();
    let again = raw("naq_jobs", subject).await;
    for message in [&dead, &again] {
        assert_eq!(header(message, "traceparent"), [TRACE]);
        assert_eq!(header(message, "tag"), ["a", "b"]);
    }
    assert!(header(&again, "Nats-Schedule").is_empty());
    assert!(header(&again, "Naq-Reason").is_empty());
}

#[tokio::test]
async fn impossible_values_in_an_envelope_or_header_stop_no_worker() {
    let bed = Bed::new().await;
    let worker = healthy_worker(&bed, "mail").await;
    let conn = bed.conn().await;
    let mut headers = HeaderMap::new();
    headers.insert("Naq-Retry", u64::MAX.to_string().as_str());
    headers.insert("Naq-Fence", "18446744073709551615");
    headers.insert("Nats-Expected-Stream", "naq_jobs");
    let fields = [
        r#""retry":{"retries":4294967295,"delay_ms":18446744073709551615}"#,
        r#""retry":{"retries":3,"delay_ms":[]}"#,
        r#""timeout_ms":18446744073709551615"#,
        r#""result_ttl_s":0"#,
        r#""result_ttl_s":18446744073709551615"#,
        r#""enqueued_at_ms":18446744073709551615"#,
    ];
    for (n, field) in fields.iter().enumerate() {
        let body = format!(r#"{{"v":1,"kind":"echo","payload":{n},{field}}}"#);
        let subject = format!("naq.queue.mail.odd-{n}");
        conn.publish_acked(subject, headers.clone(), body)
            .await
            .unwrap();
        let id = job_id(&format!("odd-{n}"));
        let patience = Duration::from_secs(20);
        let outcome = bed.jobs.results().wait(&id, patience).await;
        let outcome = outcome.unwrap_or_else(|e| panic!("{field}: {e}"));
        assert_eq!(outcome.into_result::<usize>().unwrap(), n, "{field}");
    }
    assert_eq!(worker.stop(LONG).await.completed, 6);
}

/// By the specification alone, with the client of another language.
#[tokio::test]
async fn a_python_program_enqueues_reads_outcomes_and_respects_a_key() {
    let bed = Bed::new().await;
    let worker = healthy_worker(&bed, "mail").await;
    let url = bed.server.url().to_string();
    let output = tokio::task::spawn_blocking(move || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/foreign_client.py");
        std::process::Command::new("python3")
            .args([script, &url])
            .env("PYTHONPATH", from_pypi("nats-py==2.16.0"))
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["duplicate"], json!([false, true]));
    assert_eq!(said["unique"], json!([["py-3", true], ["py-3", false]]));
    assert_eq!(said["wrong"], "NoStreamResponseError");
    assert_eq!(said["packed"], json!([2000, "Zo\u{eb}"]));
    let ended = json!([["py-1", "completed", "Zo\u{eb}"], ["py-2", "completed", {"due": true}]]);
    assert_eq!(said["ended"], ended);
    // We see its key, too.
    let ours = ECHO.job(&json!(5)).unwrap().queue("held").unwrap();
    let ours = bed
        .jobs
        .enqueue(ours.unique(Unique::key("invoice 17")))
        .await;
    let ours = ours.unwrap();
    assert_eq!((ours.is_existing(), ours.id().as_str()), (true, "py-3"));
    let held = healthy_worker(&bed, "held").await;
    assert_eq!(ours.result(LONG).await.unwrap(), json!(3));
    held.stop(LONG).await;
    assert_eq!(worker.stop(LONG).await.completed, 3);
}

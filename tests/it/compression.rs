//! Payloads and results that are compressed.

use std::io::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::write::ZlibEncoder;
use naq_jobs::{Compression, Encoding, FailureReason, Job, JobStatus, JobsErrorKind, Kind};
use serde_json::{Value, json};

use crate::dead::{broken_worker, healthy_worker, letter};
use crate::setup::{Bed, ECHO, LONG, echo, job_id};

const PACKED: Kind<Value, Value> = Kind::new("echo").compression(Compression::Zlib);

/// Something that gets much shorter.
fn report(lines: usize) -> Value {
    let line = |n| json!({ "customer": n % 97, "country": "NL", "amount": 12.5 });
    json!((0..lines).map(line).collect::<Vec<_>>())
}

fn job(kind: Kind<Value, Value>, value: &Value) -> Job<Value> {
    kind.job(value).unwrap().queue("mail").unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The body of a job that waits.
async fn body(bed: &Bed, id: &naq_jobs::JobId) -> Value {
    let info = bed.jobs.job(id).await.unwrap();
    assert!(matches!(info.status, JobStatus::Waiting { .. }), "{info:?}");
    serde_json::from_slice(&info.body.unwrap()).unwrap()
}

#[tokio::test]
async fn a_compressed_payload_and_its_result_are_small_and_come_back_whole() {
    let bed = Bed::new().await;
    let value = report(2_000);
    let size = value.to_string().len();
    let handle = bed.jobs.enqueue(job(PACKED, &value)).await.unwrap();
    let waiting = body(&bed, handle.id()).await;
    let packed = waiting["payload_zlib"].as_str().unwrap();
    assert!(packed.len() * 5 < size, "{} of {size}", packed.len());
    assert!(waiting.get("payload").is_none());
    let payload = bed.jobs.payload(handle.id()).await.unwrap().unwrap();
    assert_eq!(payload.get(), value.to_string());
    let worker = healthy_worker(&bed, "mail").await;
    assert_eq!(handle.result(LONG).await.unwrap(), value);
    // The worker compresses nothing by itself; the job came compressed, so its reader knows how.
    let page = bed.jobs.results().list(0, 10).await.unwrap();
    let [outcome] = &page.outcomes[..] else {
        panic!("{page:?}")
    };
    assert!(outcome.result.is_none());
    assert!(outcome.result_zlib.as_ref().unwrap().len() * 5 < size);
    // A listed outcome never passes for a job without a result.
    let error = outcome.clone().into_result::<Value>().unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::NotFound);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn the_setting_counts_unless_a_job_says_otherwise_and_only_where_it_helps() {
    let bed = Bed::with(|s| s.payloads.compression = Compression::Zlib).await;
    let put = async |job| bed.jobs.enqueue(job).await.unwrap();
    let long = report(200);
    let noise: Vec<u64> = (0..1_500).map(|_| fastrand::u64(..)).collect();
    let random = json!(
        BASE64.encode(
            noise
                .iter()
                .flat_map(|n| n.to_le_bytes())
                .collect::<Vec<_>>()
        )
    );
    let cases = [
        (job(ECHO, &long), true),
        (job(ECHO, &long).compression(Compression::None), false),
        (job(ECHO, &json!("short")), false),
        (job(ECHO, &random), false),
    ];
    let mut handles = Vec::new();
    for (n, (job, is_packed)) in cases.into_iter().enumerate() {
        let handle = put(job).await;
        let body = body(&bed, handle.id()).await;
        assert_eq!(body.get("payload_zlib").is_some(), is_packed, "{n}");
        assert_eq!(body.get("payload").is_none(), is_packed, "{n}");
        handles.push(handle);
    }
    // In a batch, in a stream of jobs, and due later, too.
    handles.extend(bed.jobs.enqueue_all([job(ECHO, &long)]).await.unwrap());
    for handle in bed.jobs.enqueue_many([job(ECHO, &long)]).await {
        handles.push(handle.unwrap());
    }
    handles.push(put(job(ECHO, &long).delay(Duration::from_millis(300))).await);
    let worker = healthy_worker(&bed, "mail").await;
    for (n, handle) in handles.into_iter().enumerate() {
        let outcome = handle.outcome(LONG).await.unwrap();
        assert!(outcome.is_success(), "{n}: {outcome:?}");
        let expected = match n {
            2 => json!("short"),
            3 => random.clone(),
            _ => long.clone(),
        };
        assert_eq!(outcome.into_result::<Value>().unwrap(), expected, "{n}");
    }
    worker.stop(LONG).await;
}

#[tokio::test]
async fn what_is_smaller_than_the_least_size_is_kept_as_it_is() {
    let bed = Bed::with(|s| {
        s.payloads.compression = Compression::Zlib;
        s.payloads.compress_min = 1_000;
    })
    .await;
    let mut handles = Vec::new();
    for (size, is_packed) in [(999, false), (1_000, true), (100_000, true)] {
        // The quotes count.
        let value = json!("x".repeat(size - 2));
        let handle = bed.jobs.enqueue(job(ECHO, &value)).await.unwrap();
        let body = body(&bed, handle.id()).await;
        assert_eq!(body.get("payload_zlib").is_some(), is_packed, "{size}");
        assert_eq!(body.get("payload").is_none(), is_packed, "{size}");
        handles.push((handle, value, is_packed));
    }
    // The same counts for results.
    let worker = healthy_worker(&bed, "mail").await;
    for (handle, value, _) in &handles {
        assert_eq!(handle.result(LONG).await.unwrap(), *value);
    }
    let page = bed.jobs.results().list(0, 10).await.unwrap();
    for (handle, _, is_packed) in &handles {
        let mut outcomes = page.outcomes.iter();
        let outcome = outcomes.find(|o| o.id == handle.id().as_str()).unwrap();
        assert_eq!(outcome.result_zlib.is_some(), *is_packed, "{outcome:?}");
        assert_eq!(outcome.result.is_none(), *is_packed, "{outcome:?}");
    }
    worker.stop(LONG).await;
}

#[tokio::test]
async fn what_is_too_large_even_so_is_compressed_in_the_object_store() {
    let bed = Bed::with(|s| {
        s.payloads.inline_max = 40 * 1024;
        // Unpacking takes a busy machine some time.
        s.queues.ack_wait = LONG;
    })
    .await;
    let value = report(40_000);
    let size = value.to_string().len() as u64;
    let handle = bed.jobs.enqueue(job(PACKED, &value)).await.unwrap();
    let waiting = body(&bed, handle.id()).await;
    assert_eq!(waiting["payload_ref"]["encoding"], "zlib");
    let stored = waiting["payload_ref"]["size"].as_u64().unwrap();
    assert!(stored * 5 < size, "{stored} of {size}");
    let payload = bed.jobs.payload(handle.id()).await.unwrap().unwrap();
    assert_eq!(payload.get(), value.to_string());
    let worker = healthy_worker(&bed, "mail").await;
    let outcome = handle.outcome(LONG).await.unwrap();
    let reference = outcome.result_ref.as_ref();
    let reference = reference.unwrap_or_else(|| panic!("{outcome:?}"));
    assert_eq!(reference.encoding, Some(Encoding::Zlib));
    assert_eq!(outcome.into_result::<Value>().unwrap(), value);
    worker.stop(LONG).await;
}

/// A few kilobytes that stand for gigabytes, and what is broken: buried whole, and the worker lives.
#[tokio::test]
async fn a_bomb_and_what_cannot_be_unpacked_are_dead_letters_and_the_worker_goes_on() {
    let bed = Bed::with(|s| s.payloads.max_size = 1024 * 1024).await;
    // Zeros within zeros: 512 MiB of blanks in half a megabyte would be too slow to make here; 64 MiB say the same.
    let bomb = zlib(&vec![b' '; 64 * 1024 * 1024]);
    let half = zlib(report(100).to_string().as_bytes());
    let cases = [
        ("bomb", BASE64.encode(&bomb), "more than 1048576 bytes"),
        ("cut", BASE64.encode(&half[..half.len() / 2]), "zlib stream"),
        ("text", "not base64".to_owned(), "base64"),
        ("no-json", BASE64.encode(zlib(b"hello")), "no JSON"),
        ("empty", String::new(), "zlib stream"),
    ];
    let worker = healthy_worker(&bed, "mail").await;
    for (name, packed, why) in cases {
        let body = json!({ "v": 1, "kind": "echo", "payload_zlib": packed }).to_string();
        let id = bed.publish("mail", name, body.clone()).await;
        let dead = letter(&bed, &id).await;
        assert_eq!(dead.reason, "undecodable", "{name}");
        assert!(
            dead.error.contains("payload_zlib") && dead.error.contains(why),
            "{}",
            dead.error
        );
        assert_eq!(dead.body, body.as_bytes(), "{name}");
        let outcome = bed.jobs.results().find(&id).await.unwrap().unwrap();
        let failure = outcome.error.unwrap();
        assert_eq!(failure.reason, FailureReason::Undecodable, "{name}");
    }
    let echoed = bed.jobs.enqueue(job(ECHO, &json!(1))).await.unwrap();
    assert_eq!(echoed.result(LONG).await.unwrap(), 1);
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (1, 5), "{report:?}");
}

#[tokio::test]
async fn a_compressed_dead_letter_is_shown_edited_and_run_again() {
    let bed = Bed::new().await;
    let value = report(500);
    let handle = bed.jobs.enqueue(job(PACKED, &value)).await.unwrap();
    let worker = broken_worker(&bed, &["mail"]).await;
    let dead = letter(&bed, handle.id()).await;
    worker.stop(LONG).await;
    let letters = bed.jobs.dead_letters();
    assert_eq!(
        letters.payload(&dead).await.unwrap().get(),
        value.to_string()
    );
    let edited = serde_json::value::to_raw_value(&json!("better")).unwrap();
    letters.edit(handle.id(), &edited).await.unwrap();
    letters.requeue(handle.id()).await.unwrap();
    let worker = bed.jobs.worker().handle(ECHO, echo).queue("mail");
    let worker = worker.start().await.unwrap();
    bed.emptied().await;
    worker.stop(LONG).await;
    let outcome = bed.jobs.results().find(handle.id()).await.unwrap().unwrap();
    assert_eq!(outcome.into_result::<Value>().unwrap(), "better");
    assert!(bed.jobs.payload(&job_id("nobody")).await.unwrap().is_none());
}

//! Payloads and results that do not fit into a message.

use std::time::Duration;

use naq_jobs::{
    FailureReason, Job, JobContext, JobError, JobHandle, JobId, JobsErrorKind, Kind, Landing,
    Priority, PurgePlan, QueueName, RetryPolicy, RunningWorker, Unique,
};
use naq_testing::eventually_eq;
use serde_json::{Value, json};

use crate::dead::{broken_worker, healthy_worker, letter};
use crate::process::{LedgerFile, WorkerProcess};
use crate::setup::{Bed, ECHO, Gate, LONG, job_id};

const BUCKET: &str = "OBJ_naq_payloads";

fn text(size: usize) -> Value {
    // No two chunks of it are alike.
    let words = (0..).map(|n: u32| format!("{n:08}"));
    let mut text = String::new();
    for word in words {
        if text.len() >= size {
            break;
        }
        text.push_str(&word);
    }
    json!(text)
}

fn large(size: usize) -> Job<Value> {
    ECHO.job(&text(size)).unwrap().queue("mail").unwrap()
}

async fn put(bed: &Bed, job: Job<Value>) -> JobHandle<Value> {
    bed.jobs.enqueue(job).await.unwrap()
}

/// Messages in the bucket.
async fn stored(bed: &Bed) -> u64 {
    bed.server.jsz().await.messages(BUCKET)
}

#[tokio::test]
async fn a_payload_of_any_size_comes_and_goes_and_so_does_its_result() {
    let bed = Bed::new().await;
    let limit = bed.conn().await.max_payload();
    let sizes = [
        100,
        500_000,
        600_000,
        limit - 5000,
        limit,
        limit + 1,
        5_000_000,
    ];
    for size in sizes {
        let handle = put(&bed, large(size)).await;
        let has_object = size > 512 * 1024;
        assert_eq!(stored(&bed).await > 0, has_object, "{size}");
        let worker = healthy_worker(&bed, "mail").await;
        assert_eq!(handle.result(LONG).await.unwrap(), text(size), "{size}");
        eventually_eq(LONG, 0, async || bed.waiting().await).await;
        worker.stop(LONG).await;
        let subjects = bed.subjects(BUCKET, "$O.naq_payloads.C.*").await;
        // That of the payload has gone; that of the result stays with its outcome.
        assert_eq!(subjects.len(), usize::from(has_object), "{size}");
        let results = bed.jobs.results();
        let outcome = results.find(handle.id()).await.unwrap().unwrap();
        assert_eq!(outcome.into_result::<Value>().unwrap(), text(size));
        if has_object {
            bed.ask(&format!("STREAM.PURGE.{BUCKET}"), json!({})).await;
            let error = results.find(handle.id()).await.unwrap_err();
            assert_eq!(error.kind(), JobsErrorKind::NotFound);
        }
    }
}

#[tokio::test]
async fn many_large_and_small_ones_in_every_way_of_enqueuing() {
    let bed = Bed::new().await;
    let jobs = || (0..6).map(|n| large(if n % 2 == 0 { 10 } else { 700_000 }));
    let mut handles: Vec<_> = bed.jobs.enqueue_many(jobs()).await;
    let together = bed.jobs.enqueue_all(jobs()).await.unwrap();
    handles.extend(together.into_iter().map(Ok));
    let mut bulk = bed.jobs.bulk("large").await.unwrap();
    handles.extend(bulk.push(jobs()).await.unwrap());
    let delayed = large(700_000).delay(Duration::from_millis(300));
    handles.push(bed.jobs.enqueue(delayed).await);
    assert_eq!(bed.subjects(BUCKET, "$O.naq_payloads.M.*").await.len(), 10);
    let worker = healthy_worker(&bed, "mail").await;
    for (n, handle) in handles.into_iter().enumerate() {
        let size = handle
            .unwrap()
            .result(LONG)
            .await
            .unwrap()
            .as_str()
            .unwrap()
            .len();
        assert_eq!(size, if n % 2 == 0 && n < 18 { 16 } else { 700_000 }, "{n}");
    }
    worker.stop(LONG).await;
    // What is refused leaves nothing behind.
    let before = stored(&bed).await;
    put(&bed, large(10).id(job_id("known"))).await;
    let refused = [large(10).id(job_id("known")), large(700_000)];
    let error = bed.jobs.enqueue_all(refused).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::AlreadyExists);
    assert_eq!(stored(&bed).await, before);
}

#[tokio::test]
async fn a_dead_letter_keeps_its_large_payload_until_it_is_removed_or_has_run() {
    let bed = Bed::new().await;
    let worker = broken_worker(&bed, &["mail"]).await;
    let policy = RetryPolicy::fixed(1, Duration::from_secs(1));
    let mut dead = Vec::new();
    for _ in 0..3 {
        let handle = put(&bed, large(700_000).retry(policy.clone())).await;
        dead.push(handle);
    }
    for handle in &dead {
        assert_eq!(letter(&bed, handle.id()).await.attempt, 2);
    }
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    worker.stop(LONG).await;
    let objects = async || bed.subjects(BUCKET, "$O.naq_payloads.M.*").await.len();
    assert_eq!(objects().await, 3);
    let letters = bed.jobs.dead_letters();
    letters.requeue(dead[0].id()).await.unwrap();
    assert_eq!(objects().await, 3);
    assert!(letters.delete(dead[1].id()).await.unwrap());
    assert_eq!(objects().await, 2);
    assert_eq!(letters.purge(None).await.unwrap(), 1);
    assert_eq!(objects().await, 1);
    let worker = healthy_worker(&bed, "mail").await;
    eventually_eq(LONG, Some(true), async || {
        let outcome = bed.jobs.results().find(dead[0].id()).await.unwrap();
        outcome.map(|outcome| outcome.is_success())
    })
    .await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    worker.stop(LONG).await;
    // Only that of the result is left.
    assert_eq!(objects().await, 1);
}

#[tokio::test]
async fn jobs_that_are_cancelled_purged_or_deleted_take_their_large_payload_along() {
    let bed = Bed::new().await;
    let objects = async || bed.subjects(BUCKET, "$O.naq_payloads.M.*").await.len();
    let later = || large(700_000).delay(Duration::from_secs(3600));
    let unique = |key| large(700_000).unique(Unique::key(key));
    let mut put_all = Vec::new();
    for job in [
        large(700_000),
        later(),
        unique("a").priority(Priority::High),
        large(10),
    ] {
        put_all.push(put(&bed, job).await);
    }
    assert_eq!(objects().await, 3);
    for (job, left) in put_all.iter().zip([2, 1, 0, 0]) {
        assert!(bed.jobs.cancel(job.id()).await.unwrap().is_cancelled());
        assert_eq!(objects().await, left, "cancelled");
    }
    for job in [large(700_000), later(), unique("b"), large(10)] {
        let job = put(&bed, job).await;
        assert!(bed.jobs.delete_job(job.id()).await.unwrap());
        assert_eq!(objects().await, 0, "deleted");
    }
    for job in [large(700_000), later(), unique("c"), large(10)] {
        put(&bed, job).await;
    }
    let queue = QueueName::new("mail").unwrap();
    let mut plan = PurgePlan {
        is_dry_run: true,
        ..PurgePlan::default()
    };
    assert_eq!(bed.jobs.purge(&queue, plan).await.unwrap(), 3);
    assert_eq!(objects().await, 3, "a dry run removes nothing");
    plan.is_dry_run = false;
    assert_eq!(bed.jobs.purge(&queue, plan).await.unwrap(), 3);
    assert_eq!(objects().await, 1, "the one that is due later");
    plan.scheduled = true;
    assert_eq!(bed.jobs.purge(&queue, plan).await.unwrap(), 1);
    assert_eq!(objects().await, 0, "purged");
}

#[tokio::test]
async fn a_purge_leaves_the_large_payload_of_a_job_that_a_worker_has() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let passing = gate.clone();
    let fails = move |_: JobContext, _: Value| {
        let gate = passing.clone();
        async move {
            gate.pass().await;
            Err::<Value, _>(JobError::message("no"))
        }
    };
    let worker = bed.jobs.worker().queue("mail").concurrency(1);
    let worker = worker.handle(ECHO, fails).start().await.unwrap();
    let runs = put(
        &bed,
        large(700_000).retry(RetryPolicy::fixed(0, Duration::ZERO)),
    )
    .await;
    gate.started(1).await;
    put(&bed, large(700_000)).await;
    let plan = PurgePlan {
        running: true,
        ..PurgePlan::default()
    };
    let queue = QueueName::new("mail").unwrap();
    assert_eq!(bed.jobs.purge(&queue, plan).await.unwrap(), 2);
    gate.open(1);
    let letter = letter(&bed, runs.id()).await;
    worker.stop(LONG).await;
    assert_eq!(gate.ever(), 1);
    let payload = bed.jobs.dead_letters().payload(&letter).await.unwrap();
    assert_eq!(payload.get(), text(700_000).to_string());
}

#[tokio::test]
async fn another_payload_for_a_dead_letter_removes_the_large_one() {
    let bed = Bed::new().await;
    let worker = broken_worker(&bed, &["mail"]).await;
    let job = put(
        &bed,
        large(700_000).retry(RetryPolicy::fixed(0, Duration::ZERO)),
    )
    .await;
    let before = letter(&bed, job.id()).await;
    worker.stop(LONG).await;
    let letters = bed.jobs.dead_letters();
    let payload = letters.payload(&before).await.unwrap();
    assert_eq!(payload.get(), text(700_000).to_string());
    let short = serde_json::value::to_raw_value("short").unwrap();
    letters.edit(job.id(), &short).await.unwrap();
    assert_eq!(stored(&bed).await, 0);
    let error = letters.payload(&before).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::NotFound);
    let after = letter(&bed, job.id()).await;
    assert_eq!(letters.payload(&after).await.unwrap().get(), "\"short\"");
    letters.requeue(job.id()).await.unwrap();
    let worker = healthy_worker(&bed, "mail").await;
    eventually_eq(LONG, Some(json!("short")), async || {
        let outcome = bed.jobs.results().find(job.id()).await.unwrap().unwrap();
        outcome.into_result::<Value>().ok()
    })
    .await;
    worker.stop(LONG).await;
}

/// A worker that counts.
async fn sized_worker(bed: &Bed) -> RunningWorker {
    let handler = async |_: JobContext, value: Value| Ok::<_, JobError>(value.to_string().len());
    let worker = bed.jobs.worker().handle(Kind::new("echo"), handler);
    worker.queue("mail").start().await.unwrap()
}

#[tokio::test]
async fn an_object_that_is_missing_or_changed_fails_the_job_by_name_and_never_runs_it() {
    let bed = Bed::new().await;
    let missing = put(&bed, large(700_000)).await;
    bed.ask(&format!("STREAM.PURGE.{BUCKET}"), json!({})).await;
    let changed = put(&bed, large(700_000)).await;
    let chunks = bed.subjects(BUCKET, "$O.naq_payloads.C.*").await.remove(0);
    let conn = bed.conn().await;
    let only = json!({ "filter": chunks });
    bed.ask(&format!("STREAM.PURGE.{BUCKET}"), only).await;
    conn.publish_acked(chunks, Default::default(), "more")
        .await
        .unwrap();
    let worker = sized_worker(&bed).await;
    for job in [&missing, &changed] {
        let outcome = job.outcome(LONG).await.unwrap();
        let failure = outcome.error.unwrap();
        assert_eq!(failure.reason, FailureReason::PayloadMissing);
        assert!(failure.message.contains("naq_payloads"), "{failure}");
        assert_eq!(letter(&bed, job.id()).await.reason, "payload_missing");
    }
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (0, 2));
}

#[tokio::test]
async fn of_unique_jobs_only_the_payload_that_counts_is_kept() {
    let bed = Bed::new().await;
    let unique = |size| large(size).unique(Unique::key("k").replace());
    let objects = async || bed.subjects(BUCKET, "$O.naq_payloads.M.*").await.len();
    put(&bed, unique(600_000)).await;
    for size in [700_000, 800_000] {
        let handle = put(&bed, unique(size)).await;
        assert_eq!(handle.landing(), Landing::Replaced);
        assert_eq!(objects().await, 1);
    }
    let other = put(&bed, large(900_000).unique(Unique::key("k"))).await;
    assert!(other.is_existing());
    assert_eq!(objects().await, 1);
    let worker = sized_worker(&bed).await;
    let size = bed.jobs.results().wait(other.id(), LONG).await.unwrap();
    assert_eq!(size.into_result::<usize>().unwrap(), 800_002);
    eventually_eq(LONG, 0, objects).await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn sizes_are_limited_by_settings() {
    let bed = Bed::with(|settings| {
        settings.payloads.inline_max = 1000;
        settings.payloads.max_size = 200_000;
    })
    .await;
    put(&bed, large(50_000)).await;
    assert!(stored(&bed).await > 0);
    let error = bed.jobs.enqueue(large(1_100_000)).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::TooLarge);
    assert!(error.to_string().contains("payloads.max_size"), "{error}");
}

/// Large jobs: one that waits, one that is due later, a unique one, a dead one (which is said), a requeued one, a result; one that
/// was dropped from the dead letters, and an object of somebody else.
async fn jobs_everywhere(bed: &Bed) -> JobId {
    put(bed, large(700_000).delay(Duration::from_secs(3600))).await;
    let dead = put(bed, large(700_000)).await;
    let requeued = put(bed, large(700_000)).await;
    let dropped = put(bed, large(700_000)).await;
    let worker = broken_worker(bed, &["mail"]).await;
    for job in [&dead, &requeued, &dropped] {
        letter(bed, job.id()).await;
    }
    worker.stop(LONG).await;
    let result = put(bed, ECHO.job(&json!(1)).unwrap().queue("big").unwrap()).await;
    let worker = bed.jobs.worker().queue("big");
    let worker = worker.handle(ECHO, async |_: JobContext, _: Value| {
        Ok::<_, JobError>(text(700_000))
    });
    let worker = worker.start().await.unwrap();
    result.result(LONG).await.unwrap();
    worker.stop(LONG).await;
    bed.jobs
        .dead_letters()
        .requeue(requeued.id())
        .await
        .unwrap();
    put(bed, large(700_000)).await;
    let unique = large(700_000).unique(Unique::key("k"));
    put(bed, unique).await;
    // As the server does when it is too old.
    let aged = format!("naq.failed.mail.{}", dropped.id());
    bed.ask("STREAM.PURGE.naq_failed_jobs", json!({ "filter": aged }))
        .await;
    let foreign = bed.conn().await;
    foreign
        .publish_acked("$O.naq_payloads.C.mine", async_nats::HeaderMap::new(), "x")
        .await
        .unwrap();
    dead.id().clone()
}

/// The lines of the failure table of 0005 in which an object is left behind.
#[tokio::test]
async fn payloads_of_jobs_that_never_were_are_swept_and_those_of_all_others_are_not() {
    let bed = Bed::new().await;
    let (url, ledger) = (bed.server.url(), LedgerFile::new());
    for (place, id) in [("payload-chunks-stored", "a"), ("payload-stored", "b")] {
        let settings = [
            ("NAQ_DIE_AT", place),
            ("IT_DO", &format!("enqueue-large:{id}")),
        ];
        WorkerProcess::start(&url, &ledger, &settings).died().await;
    }
    assert_eq!(bed.subjects(BUCKET, "$O.naq_payloads.C.*").await.len(), 2);
    let dead = jobs_everywhere(&bed).await;
    let sweep = async |age, dry| bed.jobs.sweep_payloads(age, dry).await.unwrap();
    let before = stored(&bed).await;
    let young = sweep(Duration::from_secs(3600), false).await;
    assert_eq!((young.orphans, young.foreign), (0, 1), "{young:?}");
    let counted = sweep(Duration::ZERO, true).await;
    assert_eq!((counted.orphans, counted.foreign), (3, 1), "{counted:?}");
    assert_eq!(stored(&bed).await, before, "a dry run removes nothing");
    let swept = sweep(Duration::ZERO, false).await;
    assert_eq!(swept, counted);
    assert_eq!(
        stored(&bed).await,
        before - 3 * 6 - 2,
        "chunks, and two entries"
    );
    assert_eq!(sweep(Duration::ZERO, false).await.orphans, 0);
    // What is left is whole.
    let worker = healthy_worker(&bed, "mail").await;
    let page = bed.jobs.dead_letters().list(None, 0, 10).await.unwrap();
    for letter in page.letters {
        assert_eq!(letter.id, dead);
        bed.jobs.dead_letters().requeue(&letter.id).await.unwrap();
    }
    eventually_eq(LONG, 1, async || bed.waiting().await).await;
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (4, 0), "{report:?}");
}

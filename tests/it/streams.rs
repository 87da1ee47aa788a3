//! What is made on the server: as the settings ask, updated, refused by name, and made again.

use std::time::Duration;

use naq_config::Settings;
use naq_config::settings::Storage;
use naq_jobs::{JobContext, JobError, Jobs, JobsErrorKind, RunningWorker};
use naq_testing::{TestServer, eventually_eq};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::setup::{Bed, ECHO, Gate, LONG, echo};

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_NS: u64 = 3_600_000_000_000;

async fn config(bed: &Bed, stream: &str) -> Value {
    let mut info = bed.ask(&format!("STREAM.INFO.{stream}"), json!({})).await;
    info["config"].take()
}

async fn refusal(bed: &Bed, adjust: impl FnOnce(&mut Settings)) -> String {
    let mut settings = bed.server.settings();
    adjust(&mut settings);
    let error = Jobs::connect(settings).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::Configuration, "{error}");
    assert!(!error.is_transient());
    error.to_string()
}

#[tokio::test]
async fn the_server_reports_what_the_settings_ask() {
    let bed = Bed::with(|settings| {
        settings.queues.max_age = Some(HOUR);
        settings.queues.dead_letters.max_age = Some(2 * HOUR);
        settings.results.storage = Storage::Memory;
        settings.results.max_bytes = Some(5 << 20);
    })
    .await;
    let jobs = config(&bed, "naq_jobs").await;
    assert_eq!(
        jobs["subjects"],
        json!([
            "naq.queue.*.*",
            "naq.schedule.*.*",
            "naq.unique.*.*.*.*",
            "naq.bulk.*",
            "naq.recurring.*",
            "naq.arm.*",
            "naq.fire.*",
            "naq.high.*.*",
            "naq.low.*.*",
            "naq.parked.*.*.*",
            "naq.flow.spec.*.*",
            "naq.flow.state.*",
            "naq.flow.done.*.*",
            "naq.flow.arm.*.*"
        ])
    );
    assert_eq!(jobs["retention"], json!("workqueue"));
    assert_eq!(
        (&jobs["storage"], &jobs["num_replicas"]),
        (&json!("file"), &json!(1))
    );
    assert_eq!(
        (&jobs["max_age"], &jobs["max_bytes"]),
        (&json!(HOUR_NS), &json!(-1)),
        "a limit of its size would drop the oldest jobs"
    );
    let results = config(&bed, "naq_results").await;
    assert_eq!(
        (&results["storage"], &results["max_bytes"]),
        (&json!("memory"), &json!(5 << 20))
    );
    assert_eq!(
        (&results["max_msgs_per_subject"], &results["max_age"]),
        (&json!(1), &json!(0))
    );
    let dead = config(&bed, "naq_failed_jobs").await;
    assert_eq!(
        (&dead["storage"], &dead["max_age"]),
        (&json!("file"), &json!(2 * HOUR_NS))
    );
    assert_eq!(dead["max_bytes"], json!(-1));
    let workers = config(&bed, "naq_workers").await;
    assert_eq!(workers["storage"], json!("memory"));
}

#[tokio::test]
async fn a_changed_setting_is_updated_on_the_stream_with_its_jobs_in_it() {
    let bed = Bed::new().await;
    bed.jobs
        .enqueue(ECHO.job(&json!(1)).unwrap())
        .await
        .unwrap();
    assert_eq!(config(&bed, "naq_jobs").await["max_age"], json!(0));
    bed.other(|settings| {
        settings.queues.max_age = Some(HOUR);
        settings.results.max_bytes = Some(1 << 20);
    })
    .await;
    assert_eq!(config(&bed, "naq_jobs").await["max_age"], json!(HOUR_NS));
    let results = config(&bed, "naq_results").await;
    assert_eq!(results["max_bytes"], json!(1 << 20));
    assert_eq!(bed.waiting().await, 1);
    bed.other(|_| {}).await;
    assert_eq!(config(&bed, "naq_jobs").await["max_age"], json!(0));
}

#[tokio::test]
async fn what_the_server_cannot_change_is_refused_by_name() {
    let bed = Bed::new().await;
    let text = refusal(&bed, |settings| settings.queues.storage = Storage::Memory).await;
    assert!(
        text.contains("naq_jobs") && text.contains("`storage`"),
        "{text}"
    );
    let text = refusal(&bed, |settings| settings.results.storage = Storage::Memory).await;
    assert!(
        text.contains("naq_results") && text.contains("`storage`"),
        "{text}"
    );
    assert_eq!(config(&bed, "naq_jobs").await["storage"], json!("file"));
}

#[tokio::test]
async fn three_replicas_asked_of_one_server_are_refused_by_name() {
    let server = TestServer::start().await;
    let mut settings = server.settings();
    settings.queues.replicas = 3;
    let error = Jobs::connect(settings).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::Configuration);
    let text = error.to_string();
    assert!(
        text.contains("queues.replicas") && text.contains("3 replicas"),
        "{text}"
    );
    assert!(server.jsz().await.streams.is_empty());
    // The same on streams that are there already.
    let bed = Bed::new().await;
    let text = refusal(&bed, |settings| settings.results.replicas = 3).await;
    assert!(text.contains("results.replicas"), "{text}");
}

#[tokio::test]
async fn two_prefixes_on_one_server_do_not_see_each_other() {
    let bed = Bed::with(|settings| settings.queues.prefix = "one".to_owned()).await;
    let two = bed
        .other(|settings| settings.queues.prefix = "two".to_owned())
        .await;
    let worker = two.worker().handle(ECHO, echo).start().await.unwrap();
    let first = bed
        .jobs
        .enqueue(ECHO.job(&json!(1)).unwrap())
        .await
        .unwrap();
    let second = two.enqueue(ECHO.job(&json!(2)).unwrap()).await.unwrap();
    assert_eq!(second.result(LONG).await.unwrap(), json!(2));
    eventually_eq(LONG, (1, 0), async || {
        let reported = bed.server.jsz().await;
        (reported.messages("one_jobs"), reported.messages("two_jobs"))
    })
    .await;
    assert!(
        bed.jobs
            .results()
            .find(second.id())
            .await
            .unwrap()
            .is_none()
    );
    assert!(two.results().find(first.id()).await.unwrap().is_none());
    assert!(bed.jobs.workers().await.unwrap().is_empty());
    assert_eq!(two.workers().await.unwrap().len(), 1);
    assert_eq!(worker.stop(LONG).await.completed, 1);
}

#[tokio::test]
async fn twenty_programs_may_start_at_once_on_an_empty_server() {
    let server = TestServer::start().await;
    let mut starts = JoinSet::new();
    for _ in 0..20 {
        starts.spawn(Jobs::connect(server.settings()));
    }
    let all = starts.join_all().await;
    assert_eq!(all.len(), 20);
    for jobs in &all {
        jobs.as_ref().unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(server.jsz().await.streams.len(), 7);
}

async fn echoes(bed: &Bed, value: Value) {
    let job = bed.jobs.enqueue(ECHO.job(&value).unwrap()).await.unwrap();
    assert_eq!(job.result(LONG).await.unwrap(), value);
}

/// W-06.
#[tokio::test]
async fn a_deleted_consumer_is_made_again_under_a_running_worker() {
    let bed = Bed::new().await;
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    for n in 0..3 {
        echoes(&bed, json!(n)).await;
        let verb = "CONSUMER.DELETE.naq_jobs.naq-worker-naq_default_queue";
        let answer = bed.ask(verb, json!({})).await;
        assert_eq!(answer["success"], json!(true), "{answer}");
    }
    echoes(&bed, json!("after")).await;
    worker.stop(LONG).await;
}

/// W-06.
#[tokio::test]
async fn a_stream_that_was_deleted_and_made_anew_is_found_by_a_running_worker() {
    let bed = Bed::new().await;
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    echoes(&bed, json!("before")).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    bed.ask("STREAM.DELETE.naq_jobs", json!({})).await;
    bed.other(|_| {}).await;
    echoes(&bed, json!("after")).await;
    assert_eq!(worker.stop(LONG).await.completed, 2);
}

/// A worker with one slot, and an echo that waits at the gate.
async fn gated_worker(bed: &Bed, gate: &Gate, slots: u32) -> RunningWorker {
    let gate = gate.clone();
    let worker = bed.jobs.worker().concurrency(slots);
    let worker = worker.handle(ECHO, move |_: JobContext, value: Value| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Ok::<_, JobError>(value)
        }
    });
    worker.start().await.unwrap()
}

/// W-06.
#[tokio::test]
async fn a_consumer_that_was_deleted_while_no_slot_was_free_is_made_again() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate, 1).await;
    let jobs = (0..2).map(|n| ECHO.job(&json!(n)).unwrap());
    let handles = bed.jobs.enqueue_many(jobs).await;
    gate.started(1).await;
    let verb = "CONSUMER.DELETE.naq_jobs.naq-worker-naq_default_queue";
    bed.ask(verb, json!({})).await;
    gate.open(10);
    for handle in handles {
        handle.unwrap().result(LONG).await.unwrap();
    }
    worker.stop(LONG).await;
}

/// A new stream counts its messages from 1 again.
#[tokio::test]
async fn a_job_in_a_stream_made_anew_is_not_taken_for_one_that_runs() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate, 4).await;
    let enqueue = async |value| {
        let job = ECHO.job(&json!(value)).unwrap();
        bed.jobs.enqueue(job).await.unwrap()
    };
    let old = enqueue("old").await;
    gate.started(1).await;
    bed.ask("STREAM.DELETE.naq_jobs", json!({})).await;
    bed.other(|_| {}).await;
    let new = enqueue("new").await;
    gate.open(4);
    assert_eq!(new.result(LONG / 3).await.unwrap(), json!("new"));
    assert_eq!(old.result(LONG / 3).await.unwrap(), json!("old"));
    worker.stop(LONG).await;
}

/// What is as it should be is left alone: the first update that the server tells of is the one that was asked for.
#[tokio::test]
async fn streams_that_are_as_asked_are_not_updated() {
    let bed = Bed::new().await;
    let conn = bed.conn().await;
    let updates = "$JS.EVENT.ADVISORY.STREAM.UPDATED.>";
    let mut updates = conn.subscribe(updates).await.unwrap();
    conn.flush_confirmed().await.unwrap();
    bed.other(|_| {}).await;
    bed.other(|settings| settings.results.max_bytes = Some(1 << 30))
        .await;
    let update = tokio::time::timeout(LONG, updates.next()).await.unwrap();
    let update: Value = serde_json::from_slice(&update.unwrap().payload).unwrap();
    assert_eq!(update["stream"], json!("naq_results"), "{update}");
}

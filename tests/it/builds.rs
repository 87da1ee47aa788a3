//! Two builds on the same queues: what each finds that the other has made of streams and consumers.

use async_nats::HeaderMap;
use naq_jobs::{Job, JobContext, JobError, JobHandle, Jobs, Kind, Priority, RunningWorker, Unique};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};

use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::setup::{Bed, ECHO, LONG, echo};

fn mail(value: Value) -> Job<Value> {
    ECHO.job(&value).unwrap().queue("mail").unwrap()
}

fn unique(key: &str) -> Job<Value> {
    mail(json!(key)).unique(Unique::key(key))
}

async fn put(bed: &Bed, job: Job<Value>) -> JobHandle<Value> {
    bed.jobs.enqueue(job).await.unwrap()
}

/// A worker of this version on the queue `mail`.
async fn serve(jobs: &Jobs) -> RunningWorker {
    let worker = jobs.worker().handle(ECHO, echo).queue("mail");
    worker.start().await.unwrap()
}

/// The configuration of the consumer of the queue `mail`, with other filters.
async fn filter(bed: &Bed, edit: impl FnOnce(&mut Value)) {
    let mut config = bed.consumer("mail").await["config"].clone();
    edit(&mut config);
    let body = json!({ "stream_name": "naq_jobs", "config": config, "action": "" });
    let made = bed
        .ask("CONSUMER.CREATE.naq_jobs.naq-worker-mail", body)
        .await;
    assert!(made.get("error").is_none(), "{made:#}");
}

/// What the first version made: one filter, and the subjects that it knew. It told the others of the consumer.
async fn as_the_first_version(bed: &Bed) {
    let mut config = bed.ask("STREAM.INFO.naq_jobs", json!({})).await["config"].clone();
    config["subjects"] = json!(["naq.queue.*.*", "naq.schedule.*.*"]);
    let updated = bed.ask("STREAM.UPDATE.naq_jobs", config).await;
    assert!(updated.get("error").is_none(), "{updated:#}");
    filter(bed, |config| {
        config["filter_subjects"].take();
        config["filter_subject"] = json!("naq.queue.mail.*");
    })
    .await;
    let conn = bed.conn().await;
    conn.publish("naq.control.mail", "consumer").await.unwrap();
}

/// New programs enqueue before the new workers are there: the consumer of the old ones has passed by what it did not know.
#[tokio::test]
async fn jobs_that_an_older_consumer_passed_by_run_when_a_worker_of_this_version_starts() {
    let bed = Bed::new().await;
    let config = json!({
        "durable_name": "naq-worker-mail", "filter_subject": "naq.queue.mail.*", "ack_policy": "explicit",
        "deliver_policy": "all", "ack_wait": 2_000_000_000_u64, "max_waiting": 10_000,
    });
    let body = json!({ "stream_name": "naq_jobs", "config": config });
    bed.ask("CONSUMER.CREATE.naq_jobs.naq-worker-mail", body)
        .await;
    let passed = put(&bed, unique("passed by")).await;
    put(&bed, mail(json!(1))).await;
    // An old worker, in short: it gets the newer job, since it does not know the other one.
    let conn = bed.conn().await;
    let next = "$JS.API.CONSUMER.MSG.NEXT.naq_jobs.naq-worker-mail".to_owned();
    let inbox = conn.new_inbox();
    let mut got = conn.subscribe(inbox.clone()).await.unwrap();
    let one = r#"{"batch":1}"#;
    conn.publish_with_reply(next, inbox, HeaderMap::new(), one)
        .await
        .unwrap();
    let job = tokio::time::timeout(LONG, got.next()).await;
    let job = job.unwrap().unwrap();
    assert!(job.subject.starts_with("naq.queue.mail."), "{job:?}");
    conn.request(job.reply.unwrap(), "+ACK").await.unwrap();
    let second = serve(&bed.jobs).await;
    let outcome = passed.outcome(LONG).await.unwrap();
    assert_eq!((outcome.attempt, outcome.is_success()), (1, true));
    assert!(
        !put(&bed, unique("passed by")).await.is_existing(),
        "the key is free"
    );
    bed.emptied().await;
    assert_eq!(second.stop(LONG).await.completed, 2);
}

/// A worker of the first version that starts beside newer ones takes from them what it does not know. It says so, and they mend it.
#[tokio::test]
async fn a_worker_mends_what_one_of_the_first_version_has_changed() {
    let bed = Bed::new().await;
    let worker = serve(&bed.jobs).await;
    let early = mail(json!("early")).priority(Priority::High);
    assert_eq!(put(&bed, early).await.result(LONG).await.unwrap(), "early");
    as_the_first_version(&bed).await;
    eventually(LONG, async || {
        let consumer = bed.consumer("mail").await;
        match consumer["config"]["filter_subjects"].as_array() {
            Some(filters) if filters.len() == 2 => Ok(()),
            _ => Err(consumer),
        }
    })
    .await;
    for job in [
        mail(json!("plain")),
        unique("key"),
        mail(json!("high")).priority(Priority::High),
    ] {
        put(&bed, job).await.result(LONG).await.unwrap();
    }
    worker.stop(LONG).await;
}

/// An enqueuer that finds a subject taken away makes it again.
#[tokio::test]
async fn a_program_enqueues_what_an_older_worker_has_taken_out_of_the_stream() {
    let bed = Bed::new().await;
    drop(serve(&bed.jobs).await);
    as_the_first_version(&bed).await;
    let job = put(&bed, unique("key")).await;
    let worker = serve(&bed.jobs).await;
    assert_eq!(job.result(LONG).await.unwrap(), "key");
    worker.stop(LONG).await;
}

/// What a newer version has added stays when a worker of this one starts.
#[tokio::test]
async fn subjects_and_filters_of_a_newer_version_stay() {
    let bed = Bed::new().await;
    let newer = serve(&bed.jobs).await;
    let mut config = bed.ask("STREAM.INFO.naq_jobs", json!({})).await["config"].clone();
    config["subjects"]
        .as_array_mut()
        .unwrap()
        .push(json!("naq.later.*.*"));
    bed.ask("STREAM.UPDATE.naq_jobs", config).await;
    filter(&bed, |config| {
        let filters = config["filter_subjects"].as_array_mut().unwrap();
        filters.push(json!("naq.later.mail.*"));
    })
    .await;
    let other = bed.other(|s| s.queues.ack_wait *= 2).await;
    let this = serve(&other).await;
    let body = r#"{"v":1,"kind":"echo","payload":7}"#;
    bed.conn()
        .await
        .publish_acked("naq.later.mail.new-1".to_owned(), HeaderMap::new(), body)
        .await
        .unwrap();
    bed.emptied().await;
    let filters = bed.consumer("mail").await["config"]["filter_subjects"].clone();
    assert_eq!(filters.as_array().unwrap().len(), 3, "{filters}");
    newer.stop(LONG).await;
    this.stop(LONG).await;
}

/// Two executables: this one, and `it-worker`, with other kinds, another version of a payload, and a kind under its old name.
#[tokio::test]
async fn two_builds_side_by_side_run_what_they_know_and_leave_the_rest_to_each_other() {
    /// Known here only.
    const RENAMED: Kind<(u64, String), u64> = Kind::new("work.renamed").version(2);
    const OLD: Kind<u64, u64> = Kind::new("work.old").queue("mail");
    let bed = Bed::new().await;
    let ledger = LedgerFile::new();
    let other = WorkerProcess::start(&bed.server.url(), &ledger, &[("IT_QUEUES", "mail")]);
    let here = bed
        .jobs
        .worker()
        .queue("mail")
        .handle(RENAMED, async |_: JobContext, (n, unit): (u64, String)| {
            assert_eq!(unit, "ms");
            Ok::<_, JobError>(n)
        })
        .upcast(RENAMED, 1, |n: u64| (n, "ms".to_owned()))
        .alias("work.old", RENAMED)
        .start()
        .await
        .unwrap();
    let mut handles = Vec::new();
    for n in 0..20_u64 {
        // The old name with the old payload; the new one; and what only the other build knows.
        handles.push((n, bed.jobs.enqueue(OLD.job(&n).unwrap()).await.unwrap()));
        let new = RENAMED
            .job(&(n, "ms".to_owned()))
            .unwrap()
            .queue("mail")
            .unwrap();
        handles.push((n, bed.jobs.enqueue(new).await.unwrap()));
        let theirs = WORK.job(&n).unwrap().queue("mail").unwrap();
        handles.push((n, bed.jobs.enqueue(theirs).await.unwrap()));
    }
    for (n, handle) in handles {
        assert_eq!(handle.result(LONG).await.unwrap(), n);
    }
    assert_eq!(here.stop(LONG).await.completed, 40);
    assert_eq!(ledger.ends().len(), 20);
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
    assert!(other.terminate().await);
}

/// Enqueues a job and lets its consumer pass it by, as a cluster did that had lost a leader: the job is there, the consumer is past it.
async fn pass_by<R>(bed: &Bed, job: Job<R>) -> JobHandle<R> {
    put(bed, mail(json!("first")))
        .await
        .result(LONG)
        .await
        .unwrap();
    let others =
        |config: &mut Value| config["filter_subjects"] = json!(["naq.unique.mail.normal.*.*"]);
    filter(bed, others).await;
    let passed = bed.jobs.enqueue(job).await.unwrap();
    put(bed, unique("after it"))
        .await
        .result(LONG)
        .await
        .unwrap();
    filter(bed, |config| {
        config["filter_subjects"] = json!(["naq.queue.mail.*", "naq.unique.mail.normal.*.*"]);
    })
    .await;
    // The server has no more for the worker, and says so when its request ends.
    let consumer = bed.consumer("mail").await;
    let left = (&consumer["num_pending"], &consumer["num_ack_pending"]);
    assert_eq!(left, (&json!(0), &json!(0)), "{consumer:#}");
    passed
}

/// No worker starts.
#[tokio::test]
async fn a_job_that_its_consumer_has_passed_by_is_found_by_a_worker_that_runs() {
    let bed = Bed::new().await;
    let worker = serve(&bed.jobs).await;
    let passed = pass_by(&bed, mail(json!("passed by"))).await;
    let outcome = passed.outcome(LONG).await.unwrap();
    assert_eq!((outcome.attempt, outcome.is_success()), (1, true));
    bed.emptied().await;
    assert_eq!(worker.stop(LONG).await.completed, 3);
}

/// Whoever stores it again dies before the old message is removed.
#[tokio::test]
async fn a_job_that_is_there_twice_since_it_was_stored_again_runs_once() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let worker = serve(&bed.jobs).await;
    let work = WORK.job(&1).unwrap().queue("mail").unwrap();
    let passed = pass_by(&bed, work).await;
    worker.stop(LONG).await;
    let url = bed.server.url();
    let die = [("NAQ_DIE_AT", "job-restocked"), ("IT_QUEUES", "mail")];
    WorkerProcess::start(&url, &ledger, &die).died().await;
    assert_eq!(bed.waiting().await, 2);
    let heir = WorkerProcess::start(&url, &ledger, &[("IT_QUEUES", "mail")]);
    bed.emptied().await;
    assert_eq!(passed.outcome(LONG).await.unwrap().attempt, 1);
    assert_eq!(ledger.ends().remove(passed.id().as_str()), Some(1));
    assert!(heir.terminate().await);
}

//! Outcomes: what is kept, for how long, and how it is awaited, listed and removed.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use naq_jobs::{
    FailureReason, JobContext, JobError, JobId, JobsErrorKind, Kind, RunningWorker, Status,
};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, LONG, Ledger, echo, job_id};

/// Returns a text of so many bytes.
const BLOW: Kind<usize, String> = Kind::new("blow");

#[derive(Debug)]
struct MailError(std::num::ParseIntError);

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mail was not sent")
    }
}

impl std::error::Error for MailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

async fn worker(bed: &Bed) -> RunningWorker {
    bed.jobs
        .worker()
        .handle(ECHO, echo)
        .handle(BLOW, async |_: JobContext, size: usize| {
            Ok::<_, JobError>("x".repeat(size))
        })
        .start()
        .await
        .unwrap()
}

async fn echoed(bed: &Bed, count: u32) -> BTreeSet<String> {
    let jobs = (0..count).map(|n| ECHO.job(&json!(n)).unwrap());
    let mut ids = BTreeSet::new();
    for handle in bed.jobs.enqueue_many(jobs).await {
        let handle = handle.unwrap();
        handle.result(LONG).await.unwrap();
        ids.insert(handle.id().to_string());
    }
    ids
}

/// AC-18, W-02, W-04, W-05.
#[tokio::test]
async fn completed_and_failed_jobs_are_told_apart_with_all_that_is_known() {
    let bed = Bed::new().await;
    let mail = Kind::<(), ()>::new("mail").queue("naq_default_queue");
    let empty = Kind::<(), ()>::new("empty").queue("naq_default_queue");
    let worker = bed
        .jobs
        .worker()
        .name("mailer")
        .handle(ECHO, echo)
        .handle(mail, async |_: JobContext, ()| {
            "x".parse::<u8>().map(drop).map_err(MailError)
        })
        .handle(empty, async |_: JobContext, ()| {
            Err::<(), _>(JobError::message(""))
        })
        .start()
        .await
        .unwrap();
    let good = bed
        .jobs
        .enqueue(ECHO.job(&json!(1)).unwrap())
        .await
        .unwrap();
    let bad = bed.jobs.enqueue(mail.job(&()).unwrap()).await.unwrap();
    let outcome = good.outcome(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Completed);
    assert_eq!(
        (outcome.kind.as_deref(), outcome.attempt),
        (Some("echo"), 1)
    );
    assert!(outcome.worker.starts_with("mailer-"), "{}", outcome.worker);
    assert!(outcome.finished_at_ms >= outcome.started_at_ms);
    let error = bad.result(LONG).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::JobFailed);
    let failure = error.job_failure().unwrap();
    assert_eq!(failure.reason, FailureReason::Error);
    assert_eq!(failure.message, "the mail was not sent");
    assert_eq!(failure.causes, ["invalid digit found in string"]);
    let traceback = failure.traceback();
    assert!(
        traceback.contains("MailError: the mail was not sent\n"),
        "{traceback}"
    );
    assert!(
        traceback.ends_with("caused by: invalid digit found in string"),
        "{traceback}"
    );
    let silent = bed.jobs.enqueue(empty.job(&()).unwrap()).await.unwrap();
    let outcome = silent.outcome(LONG).await.unwrap();
    assert_eq!(
        outcome.status,
        Status::Failed,
        "an error without a text is an error, too"
    );
    worker.stop(LONG).await;
}

/// AC-18, W-22.
#[tokio::test]
async fn what_is_not_there_is_no_error_until_it_is_awaited_too_long() {
    let bed = Bed::new().await;
    let results = bed.jobs.results();
    let id = job_id("never-was");
    assert!(results.find(&id).await.unwrap().is_none());
    assert!(!results.delete(&id).await.unwrap());
    assert_eq!(results.purge().await.unwrap(), 0);
    let page = results.list(0, 10).await.unwrap();
    assert!(page.outcomes.is_empty() && page.next.is_none());
    let begun = Instant::now();
    let patience = Duration::from_millis(300);
    let error = results.wait(&id, patience).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::Timeout);
    assert!(error.is_transient());
    assert!(begun.elapsed() >= patience);
}

/// AC-18, W-23.
#[tokio::test]
async fn an_outcome_goes_after_the_time_that_its_job_says() {
    let bed = Bed::new().await;
    let worker = worker(&bed).await;
    let brief = ECHO
        .job(&json!(1))
        .unwrap()
        .result_ttl(Duration::from_secs(1));
    let brief = bed.jobs.enqueue(brief).await.unwrap();
    let usual = bed
        .jobs
        .enqueue(ECHO.job(&json!(2)).unwrap())
        .await
        .unwrap();
    brief.result(LONG).await.unwrap();
    usual.result(LONG).await.unwrap();
    let ended = Instant::now();
    let left = vec![format!("naq.result.{}", usual.id())];
    eventually_eq(LONG, left, async || {
        bed.subjects("naq_results", "naq.result.*").await
    })
    .await;
    assert!(
        ended.elapsed() < Duration::from_secs(10),
        "{:?}",
        ended.elapsed()
    );
    let results = bed.jobs.results();
    assert!(results.find(brief.id()).await.unwrap().is_none());
    assert!(results.find(usual.id()).await.unwrap().is_some());
    worker.stop(LONG).await;
}

/// AC-18, W-20, W-22.
#[tokio::test]
async fn outcomes_are_listed_page_by_page_and_removed_one_by_one_or_all() {
    let bed = Bed::new().await;
    let worker = worker(&bed).await;
    let ids = echoed(&bed, 25).await;
    let results = bed.jobs.results();
    let (mut from, mut sizes, mut listed) = (0, Vec::new(), Vec::new());
    loop {
        let page = results.list(from, 10).await.unwrap();
        sizes.push(page.outcomes.len());
        listed.extend(page.outcomes.into_iter().map(|outcome| outcome.id));
        let Some(next) = page.next else { break };
        from = next;
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(listed.len(), 25);
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), ids);
    let gone = job_id(&listed[3]);
    assert!(results.delete(&gone).await.unwrap());
    assert!(!results.delete(&gone).await.unwrap());
    assert!(results.find(&gone).await.unwrap().is_none());
    assert_eq!(results.purge().await.unwrap(), 24);
    assert_eq!(results.purge().await.unwrap(), 0);
    assert!(bed.subjects("naq_results", "naq.result.*").await.is_empty());
    worker.stop(LONG).await;
}

#[tokio::test]
async fn everybody_who_waits_gets_the_same_outcome_early_or_late() {
    let bed = Bed::new().await;
    let id = JobId::generate();
    let other = bed.other(|_| {}).await;
    let (here, there) = (bed.jobs.results(), other.results());
    let subject = format!("naq.result.{id}");
    let work = async {
        // Enqueued only when the server knows of both who wait.
        eventually(LONG, async || {
            let connections = bed.server.connz().await.connections;
            let waiting = connections.iter().flat_map(|c| &c.subjects);
            match waiting.filter(|s| **s == subject).count() {
                2 => Ok(()),
                count => Err(count),
            }
        })
        .await;
        let worker = worker(&bed).await;
        let job = ECHO.job(&json!("once")).unwrap().id(id.clone());
        bed.jobs.enqueue(job).await.unwrap();
        worker
    };
    let (first, second, worker) = tokio::join!(here.wait(&id, LONG), there.wait(&id, LONG), work);
    let late = there.wait(&id, LONG).await.unwrap();
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.nonce, second.nonce);
    assert_eq!(first.nonce, late.nonce);
    assert_eq!(late.into_result::<String>().unwrap(), "once");
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_result_of_another_type_is_said_to_be_one() {
    let bed = Bed::new().await;
    let worker = worker(&bed).await;
    let wrong = Kind::<Value, u32>::new("echo");
    let job = bed.jobs.enqueue(wrong.job(&json!("text")).unwrap()).await;
    let error = job.unwrap().result(LONG).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::InvalidPayload);
    assert!(error.to_string().contains("expected u32"), "{error}");
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_result_above_the_servers_limit_fails_the_job_and_keeps_its_payload() {
    let bed = Bed::with(|settings| settings.payloads.max_size = 0).await;
    let worker = worker(&bed).await;
    let job = bed
        .jobs
        .enqueue(BLOW.job(&2_000_000).unwrap())
        .await
        .unwrap();
    let error = job.result(LONG).await.unwrap_err();
    let failure = error.job_failure().unwrap();
    assert_eq!(failure.reason, FailureReason::InvalidResult);
    assert!(failure.message.contains("max_payload"), "{failure}");
    let letter = eventually(LONG, async || {
        let found = bed.jobs.dead_letters().find(job.id()).await.unwrap();
        found.ok_or("no dead letter")
    })
    .await;
    assert_eq!(letter.reason, "invalid_result");
    let body: Value = serde_json::from_slice(&letter.body).unwrap();
    assert_eq!(body["payload"], json!(2_000_000));
    assert_eq!(echoed(&bed, 3).await.len(), 3);
    assert_eq!(worker.stop(LONG).await.completed, 3);
}

#[tokio::test]
async fn a_result_close_to_the_limit_is_kept_or_refused_but_never_cuts_the_connection() {
    let bed = Bed::with(|settings| {
        settings.payloads.max_size = 0;
        // A busy machine that is late with a lease would have a job done twice.
        settings.queues.ack_wait = LONG;
    })
    .await;
    let worker = worker(&bed).await;
    let before = bed.server.varz().await.total_connections;
    let limit = bed.conn().await.max_payload();
    let jobs = (0..24).map(|n| BLOW.job(&(limit - n * 25)).unwrap());
    let mut completed = 0;
    for job in bed.jobs.enqueue_many(jobs).await {
        match job.unwrap().result(LONG).await {
            Ok(_) => completed += 1,
            Err(error) => {
                let failure = error.job_failure().expect("a failure of the job");
                assert_eq!(failure.reason, FailureReason::InvalidResult);
            }
        }
    }
    assert!((1..24).contains(&completed), "{completed} of 24 fit");
    assert_eq!(bed.server.varz().await.total_connections, before);
    assert_eq!(worker.stop(LONG).await.abandoned, 0);
    bed.emptied().await;
}

#[tokio::test]
async fn a_list_of_large_outcomes_is_complete() {
    const COUNT: usize = 80;
    let bed = Bed::new().await;
    let worker = worker(&bed).await;
    let jobs = (0..COUNT).map(|_| BLOW.job(&1_000_000).unwrap());
    for handle in bed.jobs.enqueue_many(jobs).await {
        handle.unwrap().result(LONG).await.unwrap();
    }
    let results = bed.jobs.results();
    let (mut from, mut listed) = (0, 0);
    loop {
        let page = results.list(from, 1000).await.unwrap();
        listed += page.outcomes.len();
        let Some(next) = page.next else { break };
        from = next;
    }
    assert_eq!(listed, COUNT);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_job_that_keeps_no_result_leaves_nothing_behind() {
    const COUNT: u32 = 500;
    let bed = Bed::new().await;
    let quiet = Kind::<u32, u32>::new("quiet").discard_result();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    let worker = bed.jobs.worker().concurrency(50);
    let worker = worker.handle(quiet, move |context: JobContext, n: u32| {
        noted.note(&context);
        async move { Ok::<_, JobError>(n) }
    });
    let worker = worker.start().await.unwrap();
    let jobs = (0..COUNT).map(|n| quiet.job(&n).unwrap());
    let handles = bed.jobs.enqueue_many(jobs).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let report = worker.stop(LONG).await;
    assert_eq!(report.completed, u64::from(COUNT));
    assert_eq!(bed.server.jsz().await.messages("naq_results"), 0);
    for handle in handles {
        assert_eq!(ledger.attempts(handle.unwrap().id().as_str()), [1]);
    }
}

#[tokio::test]
async fn a_job_that_keeps_no_result_is_recorded_and_buried_if_it_fails() {
    let bed = Bed::new().await;
    let quiet = Kind::<(), ()>::new("quiet").discard_result();
    let worker = bed.jobs.worker();
    let worker = worker.handle(quiet, async |_: JobContext, ()| {
        Err::<(), _>(JobError::message("no mail"))
    });
    let worker = worker.start().await.unwrap();
    let job = bed.jobs.enqueue(quiet.job(&()).unwrap()).await.unwrap();
    let outcome = job.outcome(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Failed);
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 1);
    worker.stop(LONG).await;
}

/// The wire alone asks for it, too.
#[tokio::test]
async fn a_foreign_job_with_keep_result_false_leaves_no_outcome() {
    let bed = Bed::new().await;
    let body = r#"{"v":1,"kind":"echo","payload":7,"keep_result":false}"#;
    bed.publish("naq_default_queue", "foreign-1", body).await;
    let worker = worker(&bed).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(worker.stop(LONG).await.completed, 1);
    assert_eq!(
        bed.jobs
            .results()
            .find(&job_id("foreign-1"))
            .await
            .unwrap()
            .map(|o| o.id),
        None
    );
}

//! Dead letters of our own jobs: whole, inspected, requeued, removed.

use std::time::Duration;

use naq_jobs::{
    DeadLetter, FailureReason, JobContext, JobError, JobHandle, JobId, JobsErrorKind, Kind,
    QueueName, RetryPolicy, RunningWorker, Status,
};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, LONG, echo, job_id};

/// A worker whose echo always fails.
pub(crate) async fn broken_worker(bed: &Bed, queues: &[&str]) -> RunningWorker {
    let broken = async |context: JobContext, _: Value| {
        let text = format!("broken in attempt {}", context.attempt());
        Err::<Value, _>(JobError::message(text))
    };
    let mut worker = bed.jobs.worker().handle(ECHO, broken);
    for queue in queues {
        worker = worker.queue(*queue);
    }
    worker.start().await.unwrap()
}

/// A worker whose echo works.
pub(crate) async fn healthy_worker(bed: &Bed, queue: &str) -> RunningWorker {
    let worker = bed.jobs.worker().handle(ECHO, echo).queue(queue).start();
    worker.await.unwrap()
}

/// The dead letter of a job, as soon as it is there.
pub(crate) async fn letter(bed: &Bed, id: &JobId) -> DeadLetter {
    let letters = bed.jobs.dead_letters();
    eventually(LONG, async || {
        letters.find(id).await.unwrap().ok_or("no dead letter yet")
    })
    .await
}

async fn put(bed: &Bed, queue: &str, value: Value) -> JobHandle<Value> {
    let job = ECHO.job(&value).unwrap().queue(queue).unwrap();
    bed.jobs.enqueue(job).await.unwrap()
}

/// AC-08, W-12.
#[tokio::test]
async fn a_job_that_always_fails_is_kept_whole_and_succeeds_after_a_requeue() {
    let bed = Bed::new().await;
    let body = r#"{"v":1, "kind":"echo", "later":[1],
        "payload":{"to":"Zoë 🦀", "n": 1.50}, "retry":{"retries":2,"delay_ms":20}}"#;
    let id = bed.publish("mail", "invoice-7", body).await;
    let worker = broken_worker(&bed, &["mail"]).await;
    let dead = letter(&bed, &id).await;
    worker.stop(LONG).await;
    assert_eq!(dead.body, body.as_bytes(), "byte for byte");
    assert_eq!((dead.reason.as_str(), dead.attempt), ("error", 3));
    assert_eq!(dead.error, "broken in attempt 3");
    assert_eq!(
        (dead.kind.as_deref(), dead.queue.as_str()),
        (Some("echo"), "mail")
    );
    assert!(dead.dead_at_ms > 1_700_000_000_000);
    let results = bed.jobs.results();
    let failed = results.wait(&id, LONG).await.unwrap();
    assert_eq!(failed.status, Status::Failed);

    bed.jobs.dead_letters().requeue(&id).await.unwrap();
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
    assert_eq!(bed.waiting().await, 1);
    let worker = healthy_worker(&bed, "mail").await;
    let replaced = eventually(LONG, async || {
        let outcome = results.find(&id).await.unwrap().unwrap();
        if outcome.nonce == failed.nonce {
            Err("still the old one")
        } else {
            Ok(outcome)
        }
    })
    .await;
    assert_eq!(replaced.status, Status::Completed);
    let result: Value = replaced.into_result().unwrap();
    assert_eq!(result, json!({"to": "Zoë 🦀", "n": 1.5}));
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(worker.stop(LONG).await.completed, 1);
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
}

#[tokio::test]
async fn a_requeued_job_that_fails_again_is_a_dead_letter_again_with_all_its_retries() {
    let bed = Bed::new().await;
    let worker = broken_worker(&bed, &["mail"]).await;
    let policy = RetryPolicy::fixed(1, Duration::from_millis(10));
    let job = ECHO.job(&json!(1)).unwrap().retry(policy).queue("mail");
    let job = bed.jobs.enqueue(job.unwrap()).await.unwrap();
    let mut before = job.outcome(LONG).await.unwrap();
    for _ in 0..3 {
        let first = letter(&bed, job.id()).await;
        bed.jobs.dead_letters().requeue(job.id()).await.unwrap();
        let outcome = eventually(LONG, async || {
            let outcome = bed.jobs.results().find(job.id()).await.unwrap().unwrap();
            if outcome.nonce == before.nonce {
                Err("still the old one")
            } else {
                Ok(outcome)
            }
        })
        .await;
        assert_eq!((outcome.status, outcome.attempt), (Status::Failed, 2));
        before = outcome;
        assert_eq!(letter(&bed, job.id()).await.body, first.body);
    }
    worker.stop(LONG).await;
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 1);
}

#[tokio::test]
async fn dead_letters_are_listed_by_queue_and_page_and_removed_one_by_one_or_by_queue() {
    let bed = Bed::new().await;
    let worker = broken_worker(&bed, &["mail", "reports"]).await;
    let mut ids = Vec::new();
    for n in 0..12 {
        let queue = if n % 3 == 0 { "reports" } else { "mail" };
        ids.push(put(&bed, queue, json!(n)).await.id().clone());
    }
    for id in &ids {
        letter(&bed, id).await;
    }
    worker.stop(LONG).await;
    let letters = bed.jobs.dead_letters();
    let [mail, reports] = ["mail", "reports"].map(|q| QueueName::new(q).unwrap());
    let page = letters.list(Some(&mail), 0, 5).await.unwrap();
    assert_eq!(page.letters.len(), 5);
    let rest = letters
        .list(Some(&mail), page.next.unwrap(), 5)
        .await
        .unwrap();
    assert_eq!((rest.letters.len(), rest.next), (3, None));
    assert!(
        page.letters
            .iter()
            .chain(&rest.letters)
            .all(|l| l.queue == mail)
    );
    assert_eq!(letters.list(None, 0, 100).await.unwrap().letters.len(), 12);
    assert!(letters.delete(&ids[0]).await.unwrap());
    assert!(!letters.delete(&ids[0]).await.unwrap());
    assert_eq!(letters.purge(Some(&reports)).await.unwrap(), 3);
    assert_eq!(letters.purge(Some(&reports)).await.unwrap(), 0);
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 8);
    assert_eq!(letters.purge(None).await.unwrap(), 8);
    for id in [&ids[0], &job_id("never-was")] {
        assert!(letters.find(id).await.unwrap().is_none());
        let error = letters.requeue(id).await.unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_kind_that_the_worker_does_not_know_is_buried_with_those_that_it_knows() {
    // Else it waits for a worker that knows it, see `parked.rs`.
    let bed = Bed::with(|settings| settings.queues.unknown_kind_after = Duration::ZERO).await;
    let worker = healthy_worker(&bed, "mail").await;
    let unknown = Kind::<u32, ()>::new("mail.send").queue("mail").retries(5);
    let job = bed.jobs.enqueue(unknown.job(&1).unwrap()).await.unwrap();
    let outcome = job.outcome(LONG).await.unwrap();
    let failure = outcome.error.unwrap();
    assert_eq!(failure.reason, FailureReason::UnknownKind);
    assert!(failure.message.contains("mail.send"), "{failure}");
    assert!(failure.message.contains("echo"), "{failure}");
    let dead = letter(&bed, job.id()).await;
    assert_eq!((dead.reason.as_str(), dead.attempt), ("unknown_kind", 1));
    assert_eq!(dead.kind.as_deref(), Some("mail.send"));
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_payload_that_does_not_fit_the_handler_is_parked_without_a_retry() {
    let bed = Bed::new().await;
    let sum = Kind::<Vec<i64>, i64>::new("sum");
    let worker = bed
        .jobs
        .worker()
        .handle(sum, async |_: JobContext, list: Vec<i64>| {
            Ok::<_, JobError>(list.iter().sum::<i64>())
        })
        .start()
        .await
        .unwrap();
    let wrong = Kind::<Value, i64>::new("sum").retries(5);
    let job = wrong.job(&json!({"list": "1, 2"})).unwrap();
    let job = bed.jobs.enqueue(job).await.unwrap();
    let failure = job.outcome(LONG).await.unwrap().error.unwrap();
    assert_eq!(failure.reason, FailureReason::InvalidPayload);
    assert!(failure.message.contains("expected a sequence"), "{failure}");
    let dead = letter(&bed, job.id()).await;
    assert_eq!((dead.reason.as_str(), dead.attempt), ("invalid_payload", 1));
    assert_eq!(worker.stop(LONG).await.retried, 0);
}

//! The test kit for programs that use jobs.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use naq_jobs::{
    JobContext, JobError, Kind, Priority, QueueName, QueueSetting, RetryPolicy, Status, Unique,
};
use naq_testing::{Expected, TestJobs, assert_enqueued};
use serde_json::{Value, json};

use crate::setup::{ECHO, Ledger, echo, job_id};

const HOUR: Duration = Duration::from_secs(3600);
const NEXT: Kind<u32, ()> = Kind::new("next");

#[tokio::test]
async fn a_drain_runs_what_waits_and_what_that_enqueues_and_leaves_what_is_due_later() {
    let jobs = TestJobs::start().await;
    jobs.enqueue(NEXT.job(&3).unwrap()).await.unwrap();
    let late = ECHO.job(&json!("late")).unwrap().delay(HOUR);
    jobs.enqueue(late).await.unwrap();
    let (sender, ledger) = ((*jobs).clone(), Ledger::default());
    let noted = ledger.clone();
    let worker = jobs
        .worker()
        .handle(NEXT, move |context: JobContext, left: u32| {
            ledger.note(&context);
            let sender = sender.clone();
            async move {
                if left > 0 {
                    sender.enqueue(NEXT.job(&(left - 1))?).await?;
                }
                Ok::<_, JobError>(())
            }
        });
    assert_eq!(jobs.drain(worker).await.completed, 4);
    assert_eq!(noted.ids().len(), 4);
    assert_enqueued!(jobs, ECHO, args = "late", count = 1);
    assert_enqueued!(jobs, NEXT, count = 0);
    jobs.stop().await;
}

#[tokio::test]
async fn jobs_of_each_priority_unique_and_parked_ones_count_and_are_run() {
    let jobs = TestJobs::start_with(|settings| settings.queues.default = "q".to_owned()).await;
    let queue = QueueName::new("q").unwrap();
    let limits = |set: &mut QueueSetting| set.max_running_per_key = Some(1);
    jobs.controls().limit_queue(&queue, limits).await.unwrap();
    let job = || ECHO.job(&json!(1)).unwrap();
    let unique = |key| job().unique(Unique::key(key));
    for one in [
        job().priority(Priority::High),
        job().priority(Priority::Low),
        unique("now"),
        unique("later").delay(HOUR),
        job().limit_key("acme").unwrap(),
        job().limit_key("acme").unwrap(),
        job().limit_key("acme").unwrap(),
    ] {
        jobs.enqueue(one).await.unwrap();
    }
    assert_enqueued!(jobs, ECHO, count = 7);
    let worker = || jobs.worker().queue("q").handle(ECHO, echo);
    assert_eq!(jobs.drain(worker()).await.completed, 6);
    assert_enqueued!(jobs, ECHO, count = 1);
    jobs.advance(HOUR).await;
    assert_eq!(jobs.drain(worker()).await.completed, 1);
    assert_enqueued!(jobs, ECHO, count = 0);
    jobs.stop().await;
}

#[tokio::test]
async fn time_that_the_test_moves_shows_each_retry_of_a_long_back_off() {
    let jobs = TestJobs::start().await;
    let policy = RetryPolicy::table([HOUR, 24 * HOUR]);
    let id = job_id("slow");
    let job = ECHO.job(&json!(1)).unwrap().retry(policy).id(id.clone());
    jobs.enqueue(job).await.unwrap();
    let ledger = Ledger::default();
    let worker = || {
        let ledger = ledger.clone();
        jobs.worker()
            .handle(ECHO, move |context: JobContext, value: Value| {
                ledger.note(&context);
                std::future::ready(match context.attempt() {
                    3 => Ok(value),
                    _ => Err(JobError::message("not yet")),
                })
            })
    };
    assert_eq!(jobs.drain(worker()).await.retried, 1);
    jobs.advance(HOUR / 2).await;
    assert_eq!(jobs.drain(worker()).await.retried, 0, "too early");
    jobs.advance(HOUR / 2).await;
    assert_eq!(jobs.drain(worker()).await.retried, 1);
    assert_eq!(ledger.attempts("slow"), [1, 2]);
    let due = jobs.enqueued().await[0].due.unwrap();
    let wait = due.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(wait > 23 * HOUR && wait <= 24 * HOUR, "{wait:?}");
    assert_eq!(jobs.drain_all(worker()).await.completed, 1);
    assert_eq!(ledger.attempts("slow"), [1, 2, 3]);
    let outcome = jobs.results().find(&id).await.unwrap().unwrap();
    assert_eq!((outcome.status, outcome.attempt), (Status::Completed, 3));
    jobs.stop().await;
}

#[tokio::test]
async fn inline_jobs_have_ended_when_enqueue_returns() {
    let jobs = TestJobs::start().await;
    let refuse = async |_: JobContext, _: u32| Err::<(), _>(JobError::message("refused"));
    let worker = jobs.worker().handle(ECHO, echo).handle(NEXT, refuse);
    let (inline, worker) = jobs.inline(worker).await;
    let job = inline.enqueue(ECHO.job(&json!("now")).unwrap()).await;
    let found = jobs.results().find(job.unwrap().id()).await.unwrap();
    assert_eq!(found.unwrap().into_result::<Value>().unwrap(), "now");
    let bad = inline.enqueue(NEXT.job(&1).unwrap()).await.unwrap();
    let found = jobs.results().find(bad.id()).await.unwrap();
    assert_eq!(found.unwrap().status, Status::Failed);
    let late = ECHO.job(&json!("late")).unwrap().delay(HOUR);
    inline.enqueue(late).await.unwrap();
    assert_enqueued!(jobs, ECHO, count = 1);
    worker.stop(Duration::from_secs(5)).await;
    jobs.stop().await;
}

#[tokio::test]
async fn a_wrong_assertion_says_what_is_enqueued_instead() {
    let jobs = TestJobs::start().await;
    jobs.enqueue(ECHO.job(&json!({"to": "Ada"})).unwrap())
        .await
        .unwrap();
    let wrong = Expected::of(ECHO).args(json!({"to": "Bob"}));
    let panic = AssertUnwindSafe(jobs.assert_enqueued(wrong))
        .catch_unwind()
        .await
        .unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert_eq!(
        *text,
        "expected a job of the kind echo with {\"to\":\"Bob\"}, found 0; 1 enqueued:\n  \
         echo on naq_default_queue: {\"to\":\"Ada\"}\n"
    );
    jobs.stop().await;
}

//! The failure table of `docs/design/0001-first-job.md`: a process dies between two steps, another one goes on.

use std::time::Duration;

use naq_jobs::{Job, JobId, Outcome, RetryPolicy, Status, Unique};
use naq_testing::eventually;

use crate::process::{FAIL, LedgerFile, WORK, WorkerProcess};
use crate::setup::{Bed, LONG, job_id};

/// What is there after a worker has died at one place and another one has gone on.
struct After {
    bed: Bed,
    outcome: Option<Outcome>,
    /// How often a handler ran to its end.
    ends: usize,
}

/// One job; its first worker dies at `place`, its second one ends it.
async fn dies_at<R>(place: &str, job: Job<R>) -> After {
    let (bed, ledger, id) = (Bed::new().await, LedgerFile::new(), job_id("one"));
    let url = bed.server.url();
    bed.jobs.enqueue(job.id(id.clone())).await.unwrap();
    WorkerProcess::start(&url, &ledger, &[("NAQ_DIE_AT", place)])
        .died()
        .await;
    let heir = WorkerProcess::start(&url, &ledger, &[]);
    eventually(LONG, async || {
        let workers = bed.jobs.workers().await.unwrap();
        let is_there = workers.iter().any(|worker| worker.record.pid == heir.pid());
        is_there.then_some(()).ok_or("it does not work yet")
    })
    .await;
    nothing_left(&bed).await;
    let stored = bed.server.jsz().await;
    let stored = stored.stream("naq_results").map_or(0, |s| s.last_seq);
    let outcome = bed.jobs.results().find(&id).await.unwrap();
    assert_eq!(
        stored,
        u64::from(outcome.is_some()),
        "an outcome is stored once and never again"
    );
    assert!(heir.terminate().await);
    let ends = ledger.ends().remove("one").unwrap_or_default();
    After { bed, outcome, ends }
}

/// Waits until no job waits, runs, or is due later.
async fn nothing_left(bed: &Bed) {
    eventually(LONG, async || {
        let stock = bed.jobs.stock().await.unwrap();
        if stock.waiting + stock.scheduled == 0 {
            Ok(())
        } else {
            Err(stock)
        }
    })
    .await;
}

impl After {
    fn completed(&self, ends: usize) {
        let status = self.outcome.as_ref().map(|outcome| outcome.status);
        assert_eq!((status, self.ends), (Some(Status::Completed), ends));
    }

    async fn failed(&self, ends: usize) {
        let status = self.outcome.as_ref().map(|outcome| outcome.status);
        assert_eq!((status, self.ends), (Some(Status::Failed), ends));
        let letters = self.bed.jobs.dead_letters();
        let page = letters.list(None, 0, 10).await.unwrap();
        assert_eq!(
            page.letters.len(),
            1,
            "one dead letter, however often it is written"
        );
        assert!(
            page.letters[0].body.ends_with(b"}"),
            "with its payload whole"
        );
    }
}

fn work() -> Job<u64> {
    WORK.job(&1).unwrap()
}

fn broken(failures: u32, retries: u32) -> Job<u32> {
    let retry = RetryPolicy::fixed(retries, Duration::from_secs(1));
    FAIL.job(&failures).unwrap().retry(retry)
}

#[tokio::test]
async fn dead_before_the_handler_ran_it_runs_once() {
    dies_at("job-delivered", work()).await.completed(1);
}

#[tokio::test]
async fn dead_after_the_handler_but_before_the_outcome_it_runs_again() {
    dies_at("handler-ended", work()).await.completed(2);
}

#[tokio::test]
async fn dead_after_the_outcome_it_does_not_run_again() {
    dies_at("outcome-stored", work()).await.completed(1);
}

#[tokio::test]
async fn dead_before_the_acknowledgement_was_read_it_does_not_run_again() {
    dies_at("acks-sent", work()).await.completed(1);
}

#[tokio::test]
async fn dead_after_the_acknowledgement_nothing_is_left_to_do() {
    dies_at("acks-confirmed", work()).await.completed(1);
}

#[tokio::test]
async fn without_a_kept_result_a_lost_acknowledgement_costs_a_second_run_at_most() {
    let after = dies_at("acks-sent", work().discard_result()).await;
    assert!(after.outcome.is_none());
    assert!((1..=2).contains(&after.ends), "{}", after.ends);
}

#[tokio::test]
async fn dead_between_failure_and_dead_letter_the_next_worker_writes_the_letter() {
    dies_at("outcome-stored", broken(9, 0))
        .await
        .failed(1)
        .await;
}

#[tokio::test]
async fn dead_after_the_dead_letter_there_is_one() {
    dies_at("dead-letter-stored", broken(9, 0))
        .await
        .failed(1)
        .await;
}

#[tokio::test]
async fn dead_after_its_retry_was_scheduled_there_is_one_retry_at_the_most() {
    let after = dies_at("retry-stored", broken(1, 3)).await;
    after.completed(after.ends);
    // The redelivered first message is attempt 2 and completes; the retry then finds the outcome and does not run.
    assert_eq!(after.ends, 2);
}

#[tokio::test]
async fn a_producer_that_died_may_enqueue_again() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let url = bed.server.url();
    let die = [("NAQ_DIE_AT", "job-enqueued"), ("IT_DO", "enqueue:one")];
    WorkerProcess::start(&url, &ledger, &die).died().await;
    bed.jobs.enqueue(work().id(job_id("one"))).await.unwrap();
    assert_eq!(bed.waiting().await, 1);
}

#[tokio::test]
async fn a_requeue_that_died_before_it_removed_the_dead_letter_enqueues_once() {
    let (bed, ledger, id) = (Bed::new().await, LedgerFile::new(), job_id("one"));
    let url = bed.server.url();
    let job = broken(1, 0).id(id.clone());
    bed.jobs.enqueue(job).await.unwrap();
    let worker = WorkerProcess::start(&url, &ledger, &[]);
    crate::dead::letter(&bed, &id).await;
    nothing_left(&bed).await;
    assert!(worker.terminate().await);
    let die = [("NAQ_DIE_AT", "requeue-stored"), ("IT_DO", "requeue:one")];
    WorkerProcess::start(&url, &ledger, &die).died().await;
    bed.jobs.dead_letters().requeue(&id).await.unwrap();
    assert_eq!(bed.waiting().await, 1, "it was in the queue already");
    let dead = bed.jobs.stock().await.unwrap().dead_letters;
    assert_eq!(dead, 0);
    assert_eq!(status(&bed, &id).await, Status::Failed);
}

/// A producer dies while it replaces the job of a key: both messages are there.
async fn half_replaced(bed: &Bed) -> JobId {
    let ledger = LedgerFile::new();
    let first = work().id(job_id("one")).unique(Unique::key("k").replace());
    bed.jobs.enqueue(first).await.unwrap();
    let die = [("NAQ_DIE_AT", "replacement-stored"), ("IT_DO", "replace:k")];
    WorkerProcess::start(&bed.server.url(), &ledger, &die)
        .died()
        .await;
    assert_eq!(bed.waiting().await, 2);
    job_id("one")
}

#[tokio::test]
async fn a_replacement_that_died_before_it_removed_the_old_job_leaves_one_outcome() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let id = half_replaced(&bed).await;
    let worker = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    nothing_left(&bed).await;
    assert_eq!(status(&bed, &id).await, Status::Completed);
    let outcomes = bed.server.jsz().await;
    assert_eq!(outcomes.stream("naq_results").unwrap().last_seq, 1);
    assert!(worker.terminate().await);
}

#[tokio::test]
async fn a_replacement_that_died_is_made_good_by_the_next_one() {
    let bed = Bed::new().await;
    let id = half_replaced(&bed).await;
    let next = WORK.job(&3).unwrap().unique(Unique::key("k").replace());
    assert_eq!(bed.jobs.enqueue(next).await.unwrap().id(), &id);
    assert_eq!(bed.waiting().await, 1);
}

async fn status(bed: &Bed, id: &JobId) -> Status {
    bed.jobs.results().find(id).await.unwrap().unwrap().status
}

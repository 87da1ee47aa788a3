//! Retries: when, how often, and after what; panics and time limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use naq_jobs::{
    FailureReason, JobContext, JobError, JobFailure, JobHandle, Kind, RetryPolicy, RunningWorker,
};
use naq_testing::eventually_eq;
use serde_json::json;
use tokio::sync::mpsc;

use crate::dead::letter;
use crate::setup::{Bed, ECHO, LONG, Ledger, echo};

/// Fails so many times, then returns the attempt.
const FLAKY: Kind<u32, u32> = Kind::new("flaky");

const S: Duration = Duration::from_secs(1);

async fn flaky_worker(bed: &Bed, ledger: &Ledger) -> RunningWorker {
    let ledger = ledger.clone();
    bed.jobs
        .worker()
        .handle(ECHO, echo)
        .handle(FLAKY, move |context: JobContext, failures: u32| {
            let ledger = ledger.clone();
            async move {
                ledger.note(&context);
                let attempt = context.attempt();
                if attempt <= failures {
                    return Err(JobError::message(format!("failure {attempt}")));
                }
                Ok(attempt)
            }
        })
        .start()
        .await
        .unwrap()
}

async fn failure_of<R>(job: &JobHandle<R>) -> JobFailure {
    let outcome = job.outcome(LONG).await.unwrap();
    outcome.error.expect("the job should have failed")
}

fn counted(to: u32) -> Vec<u32> {
    (1..=to).collect()
}

/// AC-06.
#[tokio::test]
async fn each_policy_waits_as_it_says() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let worker = flaky_worker(&bed, &ledger).await;
    let cases = [
        (RetryPolicy::fixed(3, 3 * S), vec![3, 3]),
        (RetryPolicy::table([2 * S, 5 * S, 10 * S]), vec![2, 5, 10]),
        (RetryPolicy::exponential(4, 2 * S), vec![2, 4, 8, 16]),
        (RetryPolicy::table([2 * S, 4 * S, 6 * S]), vec![2, 4]),
    ];
    let mut running = Vec::new();
    for (policy, waits) in cases {
        let failures = u32::try_from(waits.len()).unwrap();
        let job = FLAKY.job(&failures).unwrap().retry(policy);
        running.push((bed.jobs.enqueue(job).await.unwrap(), failures, waits));
    }
    for (job, failures, waits) in running {
        assert_eq!(job.result(LONG).await.unwrap(), failures + 1);
        assert_eq!(ledger.attempts(job.id().as_str()), counted(failures + 1));
        let measured = ledger.waits(job.id().as_str());
        println!("asked {waits:?} s, measured {measured:?}");
        assert_eq!(measured.len(), waits.len());
        for (measured, asked) in measured.into_iter().zip(waits) {
            let asked = S * asked;
            assert!(measured >= asked, "{measured:?} instead of {asked:?}");
            assert!(
                measured < asked + S * 3 / 2,
                "{measured:?} instead of {asked:?}"
            );
        }
    }
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.retried), (4, 11));
    bed.emptied().await;
}

/// AC-06, W-01: the last error is final after exactly `retries` retries.
#[tokio::test]
async fn a_job_that_always_fails_is_tried_once_more_than_it_has_retries() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let worker = flaky_worker(&bed, &ledger).await;
    for retries in 0..3 {
        let policy = RetryPolicy::fixed(retries, Duration::from_millis(10));
        let job = FLAKY.job(&u32::MAX).unwrap().retry(policy);
        let job = bed.jobs.enqueue(job).await.unwrap();
        let outcome = job.outcome(LONG).await.unwrap();
        assert_eq!(outcome.attempt, retries + 1);
        let failure = outcome.error.unwrap();
        assert_eq!(failure.reason, FailureReason::Error);
        assert_eq!(failure.message, format!("failure {}", retries + 1));
        assert_eq!(ledger.attempts(job.id().as_str()), counted(retries + 1));
    }
    assert_eq!(worker.stop(LONG).await.failed, 3);
}

#[tokio::test]
async fn a_retry_below_a_second_keeps_the_lease_and_counts() {
    let bed = Bed::with(|settings| settings.queues.ack_wait = S).await;
    let ledger = Ledger::default();
    let worker = flaky_worker(&bed, &ledger).await;
    // All waits together are longer than the lease.
    let policy = RetryPolicy::fixed(4, Duration::from_millis(400));
    let job = FLAKY.job(&4).unwrap().retry(policy);
    let job = bed.jobs.enqueue(job).await.unwrap();
    assert_eq!(job.result(LONG).await.unwrap(), 5);
    assert_eq!(ledger.attempts(job.id().as_str()), counted(5));
    for wait in ledger.waits(job.id().as_str()) {
        assert!(wait >= Duration::from_millis(400), "{wait:?}");
    }
    assert_eq!(bed.deliveries("naq_default_queue").await, 1);
    let stream = bed.server.jsz().await;
    assert_eq!(stream.stream("naq_jobs").unwrap().last_seq, 1);
    assert_eq!(worker.stop(LONG).await.retried, 4);
}

#[tokio::test]
async fn a_fatal_error_is_not_retried() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let noting = ledger.clone();
    let fatal = Kind::<u32, ()>::new("fatal");
    let worker = bed
        .jobs
        .worker()
        .handle(fatal, move |context: JobContext, _| {
            noting.note(&context);
            async { Err::<(), _>(JobError::fatal(std::fmt::Error)) }
        })
        .start()
        .await
        .unwrap();
    let policy = RetryPolicy::fixed(5, Duration::ZERO);
    let job = bed.jobs.enqueue(fatal.job(&1).unwrap().retry(policy)).await;
    let job = job.unwrap();
    let failure = failure_of(&job).await;
    assert_eq!(failure.reason, FailureReason::Fatal);
    assert_eq!(failure.error_type.as_deref(), Some("core::fmt::Error"));
    assert_eq!(ledger.attempts(job.id().as_str()), [1]);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_panic_is_retried_and_hurts_no_other_job() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let noting = ledger.clone();
    let panics = Kind::<bool, ()>::new("panics");
    let worker = bed
        .jobs
        .worker()
        .concurrency(4)
        .handle(ECHO, echo)
        .handle(
            panics,
            move |context: JobContext, before_first_await: bool| {
                noting.note(&context);
                assert!(!before_first_await, "before the first await");
                async move {
                    tokio::task::yield_now().await;
                    panic!("attempt {}", context.attempt());
                    #[expect(unreachable_code, reason = "gives the future its type")]
                    Ok::<(), JobError>(())
                }
            },
        )
        .start()
        .await
        .unwrap();
    let policy = || RetryPolicy::fixed(1, Duration::from_millis(50));
    let early = panics.job(&true).unwrap().retry(policy());
    let late = panics.job(&false).unwrap().retry(policy());
    let early = bed.jobs.enqueue(early).await.unwrap();
    let late = bed.jobs.enqueue(late).await.unwrap();
    let others = (0..50).map(|n| ECHO.job(&json!(n)).unwrap());
    for other in bed.jobs.enqueue_many(others).await {
        other.unwrap().result(LONG).await.unwrap();
    }
    for (job, text) in [(&early, "before the first await"), (&late, "attempt 2")] {
        let failure = failure_of(job).await;
        assert_eq!(
            (failure.reason, failure.message.as_str()),
            (FailureReason::Panic, text)
        );
        assert_eq!(ledger.attempts(job.id().as_str()), [1, 2]);
    }
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (50, 2));
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// AC-24, W-15.
#[tokio::test]
async fn the_time_limit_holds_for_each_attempt_and_drops_the_handler() {
    let bed = Bed::new().await;
    let slow = Kind::<(), ()>::new("slow");
    let dropped = Arc::new(AtomicBool::new(false));
    let (seen, mut contexts) = mpsc::unbounded_channel();
    let flag = Arc::clone(&dropped);
    let worker = bed
        .jobs
        .worker()
        .handle(slow, move |context: JobContext, ()| {
            let guard = SetOnDrop(Arc::clone(&flag));
            seen.send(context).unwrap();
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                Ok::<_, JobError>(())
            }
        })
        .start()
        .await
        .unwrap();
    let limit = Duration::from_millis(300);
    let policy = RetryPolicy::fixed(1, Duration::from_millis(20));
    let job = slow.job(&()).unwrap().timeout(limit).retry(policy);
    let job = bed.jobs.enqueue(job).await.unwrap();
    let failure = failure_of(&job).await;
    assert_eq!(failure.reason, FailureReason::Timeout);
    assert!(failure.message.contains("300ms"), "{failure}");
    assert!(dropped.load(Ordering::SeqCst));
    for attempt in 1..=2 {
        let context = contexts.recv().await.unwrap();
        assert_eq!(context.attempt(), attempt);
        let told = context.cancelled().cancelled();
        tokio::time::timeout(LONG, told).await.unwrap();
    }
    assert_eq!(worker.stop(LONG).await.failed, 1);
}

/// A retry is told from those of an earlier life of the job also when the outcome of that life has expired.
#[tokio::test]
async fn a_requeued_job_is_retried_although_its_failed_outcome_has_expired() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let worker = flaky_worker(&bed, &ledger).await;
    let policy = RetryPolicy::fixed(1, S);
    let job = FLAKY.job(&u32::MAX).unwrap().retry(policy);
    let job = bed.jobs.enqueue(job.result_ttl(S)).await.unwrap();
    failure_of(&job).await;
    let (letters, results) = (bed.jobs.dead_letters(), bed.jobs.results());
    eventually_eq(LONG, true, async || {
        results.find(job.id()).await.unwrap().is_none()
    })
    .await;
    letters.requeue(job.id()).await.unwrap();
    // Nothing that was accepted may vanish: it waits, or it is a dead letter again.
    eventually_eq(LONG, vec![1, 2, 1, 2], async || {
        let kept = bed.waiting().await + bed.server.jsz().await.messages("naq_failed_jobs");
        let attempts = ledger.attempts(job.id().as_str());
        assert!(kept > 0, "the job is lost after the attempts {attempts:?}");
        attempts
    })
    .await;
    letter(&bed, job.id()).await;
    worker.stop(LONG).await;
}

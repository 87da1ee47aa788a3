//! What a handler's error leads to: selective retries, waits that the handler names, snoozes, discarded jobs, a breaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use naq_connection::{BreakerError, CircuitBreaker, CircuitState};
use naq_jobs::{
    FailureReason, Jitter, JobContext, JobError, JobHandle, Kind, RetryPolicy, RunningWorker,
    Status,
};
use naq_testing::eventually_eq;
use tokio::sync::mpsc;

use crate::setup::{Bed, LONG, Ledger};

/// Fails as its payload says.
const CALL: Kind<String, u32> = Kind::new("call");

const S: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct DbError;

impl std::fmt::Display for DbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection refused")
    }
}

impl std::error::Error for DbError {}

fn api(status: u16) -> JobError {
    let class = if status < 500 { "http_4xx" } else { "http_5xx" };
    JobError::message(format!("the API answers {status}")).class(class)
}

fn fail(how: &str) -> Result<u32, JobError> {
    match how {
        "404" => Err(api(404)),
        "503" => Err(api(503)),
        "db" => Err(DbError.into()),
        "file" => std::fs::read("/nowhere/at/all")
            .map(|_| 0)
            .map_err(Into::into),
        "panic" => panic!("a panic"),
        other => Err(JobError::message(other.to_owned())),
    }
}

async fn caller(bed: &Bed, ledger: &Ledger) -> RunningWorker {
    let ledger = ledger.clone();
    bed.jobs
        .worker()
        .handle(CALL, move |context: JobContext, how: String| {
            ledger.note(&context);
            async move { fail(&how) }
        })
        .start()
        .await
        .unwrap()
}

/// AC-07: what is ignored is final at once, what is named is retried, and a white list keeps the rest out.
#[tokio::test]
async fn ignored_errors_are_not_retried_and_named_ones_are() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let worker = caller(&bed, &ledger).await;
    let policy = || RetryPolicy::fixed(2, Duration::from_millis(10));
    let cases = [
        ("404", policy().ignore_on(["http_4xx"]), 1),
        ("503", policy().ignore_on(["http_4xx"]), 3),
        ("503", policy().retry_on(["http_5xx"]), 3),
        ("404", policy().retry_on(["http_5xx"]), 1),
        // Both name it: what is ignored wins.
        (
            "503",
            policy().retry_on(["http_5xx"]).ignore_on(["error"]),
            1,
        ),
        ("db", policy().retry_on(["DbError"]), 3),
        ("db", policy().ignore_on(["DbError"]), 1),
        ("db", policy().retry_on(["std::io::error::Error"]), 1),
        (
            "file",
            policy().retry_on(["DbError", "std::io::error::Error"]),
            3,
        ),
        ("panic", policy().retry_on(["panic"]), 3),
        ("panic", policy().ignore_on(["panic"]), 1),
        ("smtp says 450", policy(), 3),
    ];
    for (how, policy, attempts) in cases {
        let job = CALL.job(&how.to_owned()).unwrap().retry(policy.clone());
        let job = bed.jobs.enqueue(job).await.unwrap();
        let outcome = job.outcome(LONG).await.unwrap();
        assert_eq!(
            (outcome.status, outcome.attempt),
            (Status::Failed, attempts),
            "{how} {policy:?}"
        );
        let expected: Vec<u32> = (1..=attempts).collect();
        assert_eq!(ledger.attempts(job.id().as_str()), expected);
    }
    assert_eq!(worker.stop(LONG).await.failed, 12);
}

#[tokio::test]
async fn a_wait_that_the_handler_names_replaces_the_policys() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let noting = ledger.clone();
    let worker = bed
        .jobs
        .worker()
        .handle(CALL, move |context: JobContext, _: String| {
            noting.note(&context);
            async move {
                match context.attempt() {
                    1 => Err(JobError::message("busy").retry_after(Duration::from_millis(300))),
                    2 => Err(JobError::message("busy").retry_after(2 * S)),
                    attempt => Ok(attempt),
                }
            }
        })
        .start()
        .await
        .unwrap();
    let policy = RetryPolicy::fixed(2, Duration::from_secs(3600));
    let job = bed
        .jobs
        .enqueue(CALL.job(&String::new()).unwrap().retry(policy))
        .await
        .unwrap();
    assert_eq!(job.result(LONG).await.unwrap(), 3);
    let waits = ledger.waits(job.id().as_str());
    println!("asked 0.3 s and 2 s, measured {waits:?}");
    assert!(
        waits[0] >= Duration::from_millis(300) && waits[0] < S,
        "{waits:?}"
    );
    assert!(waits[1] >= 2 * S && waits[1] < 4 * S, "{waits:?}");
    worker.stop(LONG).await;
}

/// A job without retries snoozes, short and long, and still has its one attempt.
#[tokio::test]
async fn a_snooze_spends_neither_an_attempt_nor_a_retry_and_holds_no_slot() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let (noting, rounds) = (ledger.clone(), Arc::new(AtomicU32::new(0)));
    let worker = bed
        .jobs
        .worker()
        .concurrency(1)
        .handle(CALL, move |context: JobContext, how: String| {
            noting.note(&context);
            let rounds = Arc::clone(&rounds);
            async move {
                if how == "at once" {
                    return Ok(0);
                }
                match rounds.fetch_add(1, Ordering::SeqCst) {
                    0 => Err(JobError::snooze(Duration::from_millis(50))),
                    1 | 2 => Err(JobError::snooze(S)),
                    _ => Ok(context.attempt()),
                }
            }
        })
        .start()
        .await
        .unwrap();
    let job = bed
        .jobs
        .enqueue(CALL.job(&String::new()).unwrap())
        .await
        .unwrap();
    eventually_eq(LONG, 1, async || bed.jobs.stock().await.unwrap().scheduled).await;
    // The one slot is free while the server holds the other job back.
    let other = bed
        .jobs
        .enqueue(CALL.job(&"at once".to_owned()).unwrap())
        .await
        .unwrap();
    other.result(LONG).await.unwrap();
    assert_eq!(
        job.result(LONG).await.unwrap(),
        1,
        "still the first attempt"
    );
    assert_eq!(ledger.attempts(job.id().as_str()), [1, 1, 1, 1]);
    let waits = ledger.waits(job.id().as_str());
    assert!(waits[0] < S && waits[1] >= S && waits[2] >= S, "{waits:?}");
    let report = worker.stop(LONG).await;
    assert_eq!(
        (report.completed, report.retried, report.snoozed),
        (2, 0, 2)
    );
    bed.emptied().await;
}

#[tokio::test]
async fn a_job_that_its_handler_discards_is_cancelled_without_a_dead_letter() {
    let bed = Bed::new().await;
    let worker = bed
        .jobs
        .worker()
        .handle(CALL, async |_: JobContext, what: String| {
            Err::<u32, _>(JobError::discard(format!("{what} is gone")))
        })
        .start()
        .await
        .unwrap();
    let policy = RetryPolicy::fixed(5, Duration::ZERO);
    let job = CALL.job(&"the user".to_owned()).unwrap().retry(policy);
    let job = bed.jobs.enqueue(job).await.unwrap();
    let outcome = job.outcome(LONG).await.unwrap();
    assert_eq!((outcome.status, outcome.attempt), (Status::Cancelled, 1));
    let failure = outcome.error.unwrap();
    assert_eq!(failure.reason, FailureReason::Cancelled);
    assert_eq!(failure.message, "the user is gone");
    assert_eq!(worker.stop(LONG).await.cancelled, 1);
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
}

#[tokio::test]
async fn jitter_spreads_retries_and_the_longest_wait_bounds_them() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let worker = caller(&bed, &ledger).await;
    let policy = RetryPolicy::exponential(1, Duration::from_secs(3600))
        .max_delay(Duration::from_millis(800))
        .jitter(Jitter::Full);
    let mut jobs: Vec<JobHandle<u32>> = Vec::new();
    for _ in 0..10 {
        let job = CALL.job(&"no".to_owned()).unwrap().retry(policy.clone());
        jobs.push(bed.jobs.enqueue(job).await.unwrap());
    }
    let mut waits = Vec::new();
    for job in &jobs {
        job.outcome(LONG).await.unwrap();
        waits.push(ledger.waits(job.id().as_str())[0]);
    }
    println!("{waits:?}");
    // Ten in a row above three quarters come by chance once in a million.
    assert!(
        waits.iter().any(|wait| *wait < Duration::from_millis(600)),
        "{waits:?}"
    );
    worker.stop(LONG).await;
}

/// The origin of a job travels through its retries.
#[tokio::test]
async fn a_handler_sees_which_schedule_made_its_job_and_for_when() {
    let bed = Bed::new().await;
    let (telling, mut told) = mpsc::unbounded_channel();
    let worker = bed
        .jobs
        .worker()
        .handle(CALL, move |context: JobContext, _: String| {
            let origin = (
                context.attempt(),
                context.schedule().cloned(),
                context.instant(),
            );
            telling.send(origin).unwrap();
            async { Err::<u32, _>(JobError::message("no")) }
        })
        .start()
        .await
        .unwrap();
    let job = CALL
        .job(&String::new())
        .unwrap()
        .retry(RetryPolicy::fixed(1, S));
    let schedule = bed
        .jobs
        .schedule(job)
        .every(S)
        .repeat(1)
        .create("tick")
        .await
        .unwrap();
    let due = schedule.next().unwrap();
    for attempt in 1..=2 {
        let seen = tokio::time::timeout(LONG, told.recv())
            .await
            .unwrap()
            .unwrap();
        let (number, name, instant) = seen;
        assert_eq!((number, name.unwrap().as_str()), (attempt, "tick"));
        let seconds = |t: std::time::SystemTime| t.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(seconds(instant.unwrap()), seconds(due));
    }
    let plain = bed
        .jobs
        .enqueue(CALL.job(&String::new()).unwrap())
        .await
        .unwrap();
    let (_, name, instant) = told.recv().await.unwrap();
    assert_eq!((name, instant), (None, None));
    plain.outcome(LONG).await.unwrap();
    worker.stop(LONG).await;
}

/// AC-27: a flaky service behind a breaker. Refused calls put their jobs off; nothing is lost, and no attempt is spent.
#[tokio::test]
async fn a_breaker_in_a_handler_keeps_jobs_from_a_service_that_is_down() {
    let bed = Bed::new().await;
    let calls = Arc::new(AtomicU32::new(0));
    let breaker = CircuitBreaker::<std::io::Error>::counting(|_| true)
        .failure_threshold(3)
        .recovery_timeout(Duration::from_millis(500))
        .build();
    let (counting, circuit) = (Arc::clone(&calls), breaker.clone());
    let worker = bed
        .jobs
        .worker()
        .concurrency(1)
        .handle(CALL, move |_: JobContext, _: String| {
            let (calls, breaker) = (Arc::clone(&counting), circuit.clone());
            async move {
                let called = breaker.call(async || match calls.fetch_add(1, Ordering::SeqCst) {
                    call @ 0..3 => Err(std::io::Error::other(format!("call {call} fails"))),
                    call => Ok(call),
                });
                match called.await {
                    Ok(call) => Ok(call),
                    Err(BreakerError::Open { .. }) => {
                        Err(JobError::snooze(Duration::from_millis(50)))
                    }
                    Err(error) => Err(error.into()),
                }
            }
        })
        .start()
        .await
        .unwrap();
    let policy = || RetryPolicy::fixed(3, Duration::ZERO);
    let jobs = (0..5).map(|_| CALL.job(&String::new()).unwrap().retry(policy()));
    for job in bed.jobs.enqueue_many(jobs).await {
        job.unwrap().result(LONG).await.unwrap();
    }
    assert_eq!(
        calls.load(Ordering::SeqCst),
        8,
        "three failures, then five that go well"
    );
    assert_eq!(breaker.state(), CircuitState::Closed);
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.failed, report.retried), (5, 0, 3));
}

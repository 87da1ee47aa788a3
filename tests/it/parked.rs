//! Jobs that may not run now: their kind is unknown to the worker that got them, or paused.

use std::time::Duration;

use naq_jobs::{FailureReason, JobContext, JobError, Jobs, Kind, KindName, RunningWorker};
use naq_testing::eventually_eq;
use serde_json::Value;

use crate::dead::letter;
use crate::setup::{Bed, ECHO, LONG, Ledger, echo};

/// The kind of the other build.
const NEWER: Kind<Value, Value> = Kind::new("newer");

async fn worker(jobs: &Jobs, kind: Kind<Value, Value>, ledger: &Ledger) -> RunningWorker {
    let ledger = ledger.clone();
    jobs.worker()
        .queue("mixed")
        .handle(kind, move |context: JobContext, value: Value| {
            let ledger = ledger.clone();
            async move {
                ledger.note(&context);
                Ok::<_, JobError>(value)
            }
        })
        .start()
        .await
        .unwrap()
}

async fn parked(bed: &Bed) -> usize {
    bed.subjects("naq_jobs", "naq.parked.>").await.len()
}

/// AC: two builds on one queue. Each job ends on the worker that knows it, as a first attempt.
#[tokio::test]
async fn two_builds_side_by_side_run_each_their_own_jobs() {
    const EACH: usize = 60;
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let (one, two) = (bed.other(|_| {}).await, bed.other(|_| {}).await);
    let old = worker(&one, ECHO, &ledger).await;
    let new = worker(&two, NEWER, &ledger).await;
    let mut handles = Vec::new();
    for n in 0..EACH {
        for (kind, worker) in [(ECHO, old.id()), (NEWER, new.id())] {
            let job = kind.job(&n.into()).unwrap().queue("mixed").unwrap();
            handles.push((bed.jobs.enqueue(job).await.unwrap(), worker));
        }
    }
    for (handle, worker) in handles {
        let outcome = handle.outcome(LONG).await.unwrap();
        assert_eq!((outcome.worker.as_str(), outcome.attempt), (worker, 1));
    }
    assert_eq!(ledger.ids().len(), 2 * EACH, "each runs once");
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
    let reports = [old.stop(LONG).await, new.stop(LONG).await];
    println!("{reports:?}");
    assert!(
        reports
            .iter()
            .all(|r| usize::try_from(r.completed).unwrap() == EACH)
    );
    assert!(reports[0].parked + reports[1].parked > 0, "{reports:?}");
}

#[tokio::test]
async fn a_job_that_nobody_knows_waits_for_a_worker_that_does() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let old = worker(&bed.other(|_| {}).await, ECHO, &ledger).await;
    let job = NEWER.job(&7.into()).unwrap().queue("mixed").unwrap();
    let job = bed.jobs.enqueue(job).await.unwrap();
    eventually_eq(LONG, 1, async || parked(&bed).await).await;
    // The worker that does not know it goes on with what it knows.
    let known = ECHO.job(&1.into()).unwrap().queue("mixed").unwrap();
    bed.run(known).await;
    let new = worker(&bed.other(|_| {}).await, NEWER, &ledger).await;
    let outcome = job.outcome(LONG).await.unwrap();
    assert_eq!((outcome.worker.as_str(), outcome.attempt), (new.id(), 1));
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    old.stop(LONG).await;
    new.stop(LONG).await;
}

#[tokio::test]
async fn a_job_that_nobody_ever_knows_ends_in_the_dead_letters_whole() {
    let bed = Bed::with(|s| s.queues.unknown_kind_after = Duration::from_secs(2)).await;
    let worker = bed
        .jobs
        .worker()
        .queue("mixed")
        .handle(ECHO, echo)
        .start()
        .await
        .unwrap();
    let body = r#"{"v":1,"kind":"mail.send","payload":{"to":"Zoë"},"later":true}"#;
    let id = bed.publish("mixed", "odd-1", body).await;
    let letter = letter(&bed, &id).await;
    assert_eq!(
        (letter.reason.as_str(), letter.attempt),
        ("unknown_kind", 1)
    );
    assert_eq!(letter.body, body.as_bytes());
    let outcome = bed.jobs.results().find(&id).await.unwrap().unwrap();
    let failure = outcome.error.unwrap();
    assert_eq!(failure.reason, FailureReason::UnknownKind);
    // 0 s, then after 0.5, 1 and the rest: it does not go round and round.
    let rounds = bed.deliveries("mixed").await;
    assert!((2..=5).contains(&rounds), "{rounds} deliveries");
    bed.emptied().await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_paused_kind_waits_while_others_run_and_runs_when_it_is_resumed() {
    const COUNT: usize = 10;
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let mut workers = Vec::new();
    for _ in 0..2 {
        let jobs = bed.other(|_| {}).await;
        let noted = ledger.clone();
        let worker = jobs
            .worker()
            .queue("mixed")
            .handle(NEWER, move |context: JobContext, value: Value| {
                noted.note(&context);
                async move { Ok::<_, JobError>(value) }
            })
            .handle(ECHO, echo);
        workers.push(worker.start().await.unwrap());
    }
    let controls = bed.jobs.controls();
    let kind = KindName::new("newer").unwrap();
    controls
        .pause_kind(&kind, Some("its API is down"))
        .await
        .unwrap();
    let list = controls.kinds().await.unwrap();
    let reason = list[0].paused.as_ref().unwrap().reason.as_deref();
    assert_eq!(
        (list[0].kind.as_str(), reason),
        ("newer", Some("its API is down"))
    );
    let mut handles = Vec::new();
    for n in 0..COUNT {
        let job = NEWER.job(&n.into()).unwrap().queue("mixed").unwrap();
        handles.push(bed.jobs.enqueue(job).await.unwrap());
        let job = ECHO.job(&n.into()).unwrap().queue("mixed").unwrap();
        bed.run(job).await;
    }
    eventually_eq(LONG, COUNT, async || parked(&bed).await).await;
    assert!(ledger.ids().is_empty(), "{:?}", ledger.ids());
    // Two resume at the same time, and the workers hear it, too: still each job runs once.
    let (one, two) = tokio::join!(controls.resume_kind(&kind), controls.resume_kind(&kind));
    assert!(one.unwrap() + two.unwrap() <= 10);
    for handle in handles {
        assert_eq!(handle.outcome(LONG).await.unwrap().attempt, 1);
    }
    assert_eq!(ledger.ids().len(), COUNT);
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    for worker in workers {
        worker.stop(LONG).await;
    }
}

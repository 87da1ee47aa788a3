//! What each of the two builds does with the jobs of the other.

use std::time::Duration;

use naq_jobs::{
    FailureReason, JobContext, JobError, JobHandle, Jobs, Kind, Priority, RunningWorker, Unique,
};
use naq_testing::{eventually, eventually_eq};
use rustix::process::Signal;

use super::build::first_build;
use crate::process::{LedgerFile, WorkerProcess};
use crate::setup::{Bed, LONG};

/// Known to both; sleeps for so many milliseconds.
const WORK: Kind<u64, u64> = Kind::new("work").queue("mail").retries(2);

/// Known to this build only.
const NEWS: Kind<u64, u64> = Kind::new("news").queue("mail");

/// Too large for a message of this build, which the first one cannot read then.
const LARGE: Kind<String, usize> = Kind::new("large").queue("mail");

async fn first(bed: &Bed, ledger: &LedgerFile, words: &[&str]) -> WorkerProcess {
    WorkerProcess::of(first_build().await, words, &bed.server.url(), ledger, &[])
}

/// A worker of the first build that is at work: it takes part.
async fn first_worker(bed: &Bed, ledger: &LedgerFile) -> WorkerProcess {
    let before = bed.server.jsz().await.messages("naq_workers");
    let worker = first(bed, ledger, &["worker"]).await;
    eventually_eq(LONG, before + 1, async || {
        bed.server.jsz().await.messages("naq_workers")
    })
    .await;
    worker
}

async fn work(_: JobContext, millis: u64) -> Result<u64, JobError> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Ok(millis)
}

async fn this_worker(jobs: &Jobs) -> RunningWorker {
    let worker = jobs.worker().queue("mail").handle(WORK, work);
    let worker = worker.handle(LARGE, async |_: JobContext, text: String| {
        Ok::<_, JobError>(text.len())
    });
    worker.handle(NEWS, work).start().await.unwrap()
}

async fn enqueue(bed: &Bed, count: u64) -> Vec<(u64, JobHandle<u64>)> {
    let mut handles = Vec::new();
    for n in 0..count {
        let mut job = WORK.job(&n).unwrap();
        if n % 4 == 3 {
            job = job.delay(Duration::from_secs(1));
        }
        handles.push((n, bed.jobs.enqueue(job).await.unwrap()));
    }
    handles
}

async fn came_through(handles: Vec<(u64, JobHandle<u64>)>) {
    for (n, handle) in handles {
        assert_eq!(handle.result(LONG).await.unwrap(), n);
    }
}

#[tokio::test]
async fn a_program_of_the_first_build_gets_its_results_from_this_one() {
    let bed = Bed::new().await;
    let ledger = LedgerFile::new();
    let worker = this_worker(&bed.jobs).await;
    let program = first(&bed, &ledger, &["enqueue", "40"]).await;
    assert!(program.ended().await);
    bed.emptied().await;
    assert_eq!(worker.stop(LONG).await.completed, 40);
}

#[tokio::test]
async fn a_program_of_this_build_gets_its_results_from_the_first_one() {
    let bed = Bed::new().await;
    let ledger = LedgerFile::new();
    let worker = first_worker(&bed, &ledger).await;
    came_through(enqueue(&bed, 40).await).await;
    assert_eq!(ledger.ends().len(), 40);
    bed.emptied().await;
    assert!(worker.terminate().await);
}

#[tokio::test]
async fn an_update_from_the_first_build_under_load_loses_nothing() {
    let bed = Bed::new().await;
    let ledger = LedgerFile::new();
    let killed = first_worker(&bed, &ledger).await;
    let old = first_worker(&bed, &ledger).await;
    // Programs of both builds, all the time.
    let program = first(&bed, &ledger, &["enqueue", "100"]).await;
    let mut handles = enqueue(&bed, 100).await;
    ledger.wait_for(LONG, |entry| entry.pid == old.pid()).await;
    let other = bed.other(|_| {}).await;
    let new = this_worker(&other).await;
    handles.extend(enqueue(&bed, 100).await);
    killed.signal(Signal::KILL);
    eventually(LONG, async || match new.report().completed {
        0 => Err("this build has run none"),
        _ => Ok(()),
    })
    .await;
    // Both still share the queue.
    let before = ledger.ends().len();
    handles.extend(enqueue(&bed, 100).await);
    eventually(LONG, async || {
        let now = ledger.ends().len();
        if now > before { Ok(()) } else { Err(now) }
    })
    .await;
    assert!(old.terminate().await);
    handles.extend(enqueue(&bed, 100).await);
    came_through(handles).await;
    assert!(program.ended().await);
    bed.emptied().await;
    let streams = bed.server.jsz().await;
    assert_eq!(streams.messages("naq_failed_jobs"), 0);
    assert!(new.stop(LONG).await.completed > 100);
}

/// The letters of what the first build could not run, each of them whole; then this build does.
#[tokio::test]
async fn what_the_first_build_does_not_know_it_buries_whole_and_this_one_runs_it() {
    let bed = Bed::new().await;
    let ledger = LedgerFile::new();
    let worker = first_worker(&bed, &ledger).await;
    let text = "x".repeat(600_000);
    let unknown = bed.jobs.enqueue(NEWS.job(&7).unwrap()).await.unwrap();
    let large = bed.jobs.enqueue(LARGE.job(&text).unwrap()).await.unwrap();
    eventually_eq(LONG, 2, async || {
        bed.server.jsz().await.messages("naq_failed_jobs")
    })
    .await;
    assert!(worker.terminate().await);
    let results = bed.jobs.results();
    let mut failed = Vec::new();
    for (id, reason) in [
        (unknown.id(), FailureReason::UnknownKind),
        (large.id(), FailureReason::Undecodable),
    ] {
        let outcome = results.find(id).await.unwrap().unwrap();
        assert_eq!(outcome.error.unwrap().reason, reason);
        bed.jobs.dead_letters().requeue(id).await.unwrap();
        failed.push(outcome.nonce);
    }
    let worker = this_worker(&bed.jobs).await;
    bed.emptied().await;
    let unknown = results.find(unknown.id()).await.unwrap().unwrap();
    assert!(unknown.nonce != failed[0] && unknown.is_success());
    let large = results.find(large.id()).await.unwrap().unwrap();
    assert_eq!(large.into_result::<usize>().unwrap(), 600_000);
    assert_eq!(worker.stop(LONG).await.completed, 2);
}

/// It cannot make sense of a consumer with several filters. What it has taken away from the streams by then is given back.
#[tokio::test]
async fn a_worker_of_the_first_build_that_starts_late_ends_and_what_it_has_changed_is_mended() {
    let bed = Bed::new().await;
    let ledger = LedgerFile::new();
    let worker = this_worker(&bed.jobs).await;
    let late = first(&bed, &ledger, &["worker"]).await;
    assert!(!late.ended().await, "it says so by its exit code");
    let unique = WORK.job(&1).unwrap().unique(Unique::key("one"));
    let high = WORK.job(&2).unwrap().priority(Priority::High);
    for job in [unique, high, WORK.job(&3).unwrap()] {
        let job = bed.jobs.enqueue(job).await.unwrap();
        job.result(LONG).await.unwrap();
    }
    assert_eq!(worker.stop(LONG).await.completed, 3);
}

//! Intervals below one second: each firing makes one job, whoever makes it, and whatever happens to him.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use naq_jobs::{CatchUp, JobContext, JobError, Jobs, ScheduleChange, ScheduleState};
use naq_testing::{eventually, eventually_eq};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::schedules::{find, name};
use crate::setup::{Bed, ECHO, LONG};

const ALL: CatchUp = CatchUp::All {
    most: 100,
    within: Duration::from_secs(3600),
};

/// The instants in job ids like `fast-20240331T010000_200Z`, in milliseconds of their day.
fn instants(ids: &BTreeSet<String>) -> Vec<u64> {
    let of = |id: &String| {
        let time = id.split_once('T').unwrap().1.trim_end_matches('Z');
        let (time, millis) = time.split_once('_').unwrap_or((time, "0"));
        let part = |at: usize| time[at..at + 2].parse::<u64>().unwrap();
        ((part(0) * 60 + part(2)) * 60 + part(4)) * 1000 + millis.parse::<u64>().unwrap()
    };
    let mut all: Vec<u64> = ids.iter().map(of).collect();
    all.sort_unstable();
    all
}

/// Each comes `step` after the one before; around midnight there is one gap.
fn assert_no_gap(ids: &BTreeSet<String>, step: u64) {
    let all = instants(ids);
    let gaps: Vec<_> = all
        .windows(2)
        .filter(|two| two[1] - two[0] != step)
        .collect();
    let is_midnight = gaps.len() == 1 && all[all.len() - 1] - all[0] > 80_000_000;
    assert!(gaps.is_empty() || is_midnight, "{gaps:?} in {all:?}");
}

/// Ends the schedule; gives the jobs that it says it has made.
async fn runs_of(jobs: &Jobs, schedule: &str) -> usize {
    let paused = jobs.schedules().pause(&name(schedule)).await.unwrap();
    usize::try_from(paused.runs()).unwrap()
}

#[tokio::test]
async fn an_interval_below_a_second_is_kept_to_the_millisecond_and_never_early() {
    let bed = Bed::new().await;
    let (told, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |context: JobContext, _: Value| {
        let told = told.clone();
        async move {
            let instant = context.instant().unwrap();
            assert_eq!(context.schedule().unwrap().as_str(), "fast");
            told.send((context.id().to_string(), instant)).unwrap();
            Ok::<_, JobError>(())
        }
    };
    let mut workers = Vec::new();
    for _ in 0..2 {
        let jobs = bed.other(|_| {}).await;
        let worker = jobs
            .worker()
            .handle(naq_jobs::Kind::new("echo"), handler.clone());
        workers.push(worker.start().await.unwrap());
    }
    let new = bed.jobs.schedule(ECHO.job(&json!(1)).unwrap());
    let new = new
        .every(Duration::from_millis(100))
        .repeat(30)
        .catch_up(ALL);
    new.create("fast").await.unwrap();
    let mut ids = BTreeSet::new();
    for _ in 0..30 {
        let next = tokio::time::timeout(LONG, seen.recv()).await.unwrap();
        let (id, instant) = next.unwrap();
        assert!(instant.elapsed().is_ok(), "{id} is early");
        assert!(ids.insert(id.clone()), "{id} comes twice");
    }
    assert_no_gap(&ids, 100);
    let done = eventually(LONG, async || match find(&bed.jobs, "fast").await {
        done if done.state() == ScheduleState::Finished => Ok(done),
        seen => Err(seen),
    })
    .await;
    assert_eq!((done.runs(), done.remaining()), (30, Some(0)));
    bed.jobs.schedules().delete(&name("fast")).await.unwrap();
    bed.emptied().await;
    for worker in workers {
        worker.stop(LONG).await;
    }
}

async fn fast(bed: &Bed, job: naq_jobs::Job<u64>) {
    let new = bed.jobs.schedule(job).every(Duration::from_millis(200));
    new.catch_up(ALL).create("fast").await.unwrap();
}

async fn reaches(ledger: &LedgerFile, count: usize) {
    eventually(LONG, async || match ledger.ends().len() {
        seen if seen >= count => Ok(()),
        seen => Err(seen),
    })
    .await;
}

async fn finish(bed: &Bed, ledger: &LedgerFile) {
    reaches(ledger, ledger.ends().len() + 10).await;
    let runs = runs_of(&bed.jobs, "fast").await;
    eventually_eq(LONG, runs, async || ledger.ends().len()).await;
    assert_no_gap(&ledger.ends().into_keys().collect(), 200);
}

/// One of the two makes the firings; each is killed or stopped in turn, and the other one goes on within seconds.
#[tokio::test]
async fn each_fast_firing_makes_one_job_over_stopped_and_killed_workers() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let url = bed.server.url();
    let start = || WorkerProcess::start(&url, &ledger, &[]);
    let (first, second) = (start(), start());
    fast(&bed, WORK.job(&1).unwrap()).await;
    reaches(&ledger, 5).await;
    for worker in [&first, &second] {
        worker.signal(Signal::STOP);
        // The other one has made some, whoever it was before.
        let stopped = Instant::now();
        let before = find(&bed.jobs, "fast").await.runs();
        eventually(LONG, async || match find(&bed.jobs, "fast").await.runs() {
            runs if runs >= before + 15 => Ok(()),
            runs => Err(runs),
        })
        .await;
        tracing::info!(took = ?stopped.elapsed(), "taken over");
        worker.signal(Signal::CONT);
    }
    first.kill().await;
    let third = start();
    reaches(&ledger, ledger.ends().len() + 15).await;
    second.kill().await;
    finish(&bed, &ledger).await;
    assert!(third.terminate().await);
}

#[tokio::test]
async fn each_fast_firing_makes_one_job_over_a_killed_server() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let worker = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    fast(&bed, WORK.job(&1).unwrap()).await;
    for _ in 0..2 {
        reaches(&ledger, ledger.ends().len() + 8).await;
        bed.server.kill().await.unwrap();
        bed.server.start_again().await.unwrap();
    }
    finish(&bed, &ledger).await;
    assert!(worker.terminate().await);
}

/// A worker that dies right after it has written a firing.
#[tokio::test]
async fn dead_after_a_fast_firing_was_stored_another_worker_goes_on() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let url = bed.server.url();
    let victim = WorkerProcess::start(&url, &ledger, &[("NAQ_DIE_AT", "beat-stored")]);
    fast(&bed, WORK.job(&1).unwrap()).await;
    victim.died().await;
    let heir = WorkerProcess::start(&url, &ledger, &[]);
    finish(&bed, &ledger).await;
    assert!(heir.terminate().await);
}

/// A worker that stops well hands the firings over at once: nothing is late enough to count as missed.
#[tokio::test]
async fn changes_and_a_worker_that_stops_lose_no_fast_firing() {
    let bed = Bed::new().await;
    let echo_on = async |jobs: Jobs| {
        let worker = jobs.worker().handle(ECHO, crate::setup::echo);
        worker.start().await.unwrap()
    };
    let mut worker = echo_on(bed.other(|_| {}).await).await;
    let new = bed.jobs.schedule(ECHO.job(&json!(1)).unwrap());
    let new = new.every(Duration::from_millis(100)).catch_up(ALL);
    new.create("fast").await.unwrap();
    let (schedules, fast) = (bed.jobs.schedules(), name("fast"));
    let nothing = ScheduleChange::new().catch_up(ALL);
    let (mut completed, mut triggered) = (0, 0);
    for round in 0..3 {
        let before = find(&bed.jobs, "fast").await.runs();
        for _ in 0..5 {
            schedules.modify(&fast, &nothing).await.unwrap();
            schedules.trigger(&fast).await.unwrap();
            triggered += 1;
        }
        eventually(LONG, async || match find(&bed.jobs, "fast").await.runs() {
            runs if runs >= before + 10 => Ok(()),
            runs => Err(runs),
        })
        .await;
        if round < 2 {
            let next = echo_on(bed.other(|_| {}).await).await;
            completed += std::mem::replace(&mut worker, next)
                .stop(LONG)
                .await
                .completed;
        }
    }
    let runs = runs_of(&bed.jobs, "fast").await;
    eventually_eq(LONG, runs + triggered, async || {
        let page = bed.jobs.results().list(0, 1000).await.unwrap();
        page.outcomes.len()
    })
    .await;
    assert!(schedules.delete(&fast).await.unwrap());
    // Nothing of it is left that could fire.
    bed.emptied().await;
    completed += worker.stop(LONG).await.completed;
    assert_eq!(completed, (runs + triggered) as u64, "a job was made twice");
    let page = bed.jobs.results().list(0, 1000).await.unwrap();
    let ids = page.outcomes.into_iter().map(|outcome| outcome.id);
    let fired: BTreeSet<String> = ids.filter(|id| !id.contains("-t")).collect();
    assert_no_gap(&fired, 100);
}

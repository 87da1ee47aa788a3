//! Schedules whose jobs come one at a time, with one firing kept back: who sees the end, and what if he dies then.

use std::time::{Duration, Instant};

use naq_jobs::{JobContext, JobError, Overlap, RunningWorker};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};

use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::schedules::{SECOND, find, instants, name};
use crate::setup::{Bed, ECHO, Gate, LONG, job_id};

/// A kept back job comes back by itself after 30 seconds; what is faster was released.
const RELEASED: Duration = Duration::from_secs(25);

/// The job that is kept back, if there is one.
async fn kept_back(bed: &Bed) -> Option<String> {
    let found = bed.subjects("naq_jobs", "naq.parked.*.*.*").await;
    let [subject] = found.as_slice() else {
        assert!(found.is_empty(), "{found:?}");
        return None;
    };
    assert!(subject.contains(".after-"), "{subject}");
    subject.rsplit('.').next().map(str::to_owned)
}

async fn is_kept_back(bed: &Bed) -> String {
    eventually(LONG, async || kept_back(bed).await.ok_or("nothing")).await
}

#[tokio::test]
async fn one_firing_is_kept_back_until_the_last_job_ends() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let door = gate.clone();
    let slow = move |_: JobContext, value: Value| {
        let door = door.clone();
        async move {
            door.pass().await;
            Ok::<_, JobError>(value)
        }
    };
    let worker = bed.jobs.worker().handle(ECHO, slow).start().await.unwrap();
    // The end is seen by the outcome, so there is one whatever the job says.
    let job = ECHO.job(&json!(1)).unwrap().discard_result();
    let new = bed.jobs.schedule(job).every(SECOND).overlap(Overlap::Queue);
    new.create("slow").await.unwrap();
    for turn in 1..=3 {
        gate.started(turn).await;
        let kept = is_kept_back(&bed).await;
        // Others are left out, and the first one stays.
        let skipped = find(&bed.jobs, "slow").await.skipped();
        eventually(LONG, async || match find(&bed.jobs, "slow").await {
            seen if seen.skipped() > skipped => Ok(()),
            seen => Err(seen),
        })
        .await;
        assert_eq!(kept_back(&bed).await.as_ref(), Some(&kept));
        assert_eq!(gate.ever(), turn);
        let opened = Instant::now();
        gate.open(1);
        gate.started(turn + 1).await;
        assert!(opened.elapsed() < RELEASED, "nobody has released it");
        assert!(
            bed.jobs
                .results()
                .find(&job_id(&kept))
                .await
                .unwrap()
                .is_none()
        );
    }
    assert_eq!(gate.most(), 1);
    let seen = find(&bed.jobs, "slow").await;
    assert!((4..=5).contains(&seen.runs()), "{seen:?}");
    bed.jobs.schedules().delete(&name("slow")).await.unwrap();
    gate.open(10);
    bed.emptied().await;
    worker.stop(LONG).await;
}

/// A worker that handles firings but not the queue of their jobs, and the job that is kept back there.
async fn kept_back_in_a_lonely_queue(bed: &Bed) -> (RunningWorker, String) {
    let worker = bed.jobs.worker().queue("other");
    let worker = worker
        .handle(ECHO, crate::setup::echo)
        .start()
        .await
        .unwrap();
    let job = ECHO.job(&json!(1)).unwrap().queue("lonely").unwrap();
    let new = bed.jobs.schedule(job).every(SECOND).overlap(Overlap::Queue);
    new.create("lone").await.unwrap();
    (worker, is_kept_back(bed).await)
}

/// Nobody works on the queue, so no worker ever sees the end of a job that is cancelled.
#[tokio::test]
async fn a_cancelled_job_lets_the_next_one_go() {
    let bed = Bed::new().await;
    let (worker, kept) = kept_back_in_a_lonely_queue(&bed).await;
    let first = bed.subjects("naq_jobs", "naq.queue.lonely.*").await;
    assert_eq!(first.len(), 1, "{first:?}");
    bed.jobs.schedules().delete(&name("lone")).await.unwrap();
    let first = first[0].rsplit('.').next().unwrap();
    bed.jobs.cancel(&job_id(first)).await.unwrap();
    eventually_eq(
        RELEASED,
        vec![format!("naq.queue.lonely.{kept}")],
        async || bed.subjects("naq_jobs", "naq.queue.lonely.*").await,
    )
    .await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_job_that_is_kept_back_can_be_cancelled() {
    let bed = Bed::new().await;
    let (worker, kept) = kept_back_in_a_lonely_queue(&bed).await;
    bed.jobs.cancel(&job_id(&kept)).await.unwrap();
    // Its place is free for another one.
    let next = eventually(LONG, async || match kept_back(&bed).await {
        Some(next) if next != kept => Ok(next),
        seen => Err(seen),
    })
    .await;
    assert!(next > kept);
    bed.jobs.schedules().delete(&name("lone")).await.unwrap();
    worker.stop(LONG).await;
}

/// The first worker dies at `place`, another one goes on: one job at a time, and none is forgotten.
async fn dies_at(place: &str) {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let url = bed.server.url();
    let new = bed.jobs.schedule(WORK.job(&2500).unwrap());
    let new = new.every(SECOND).overlap(Overlap::Queue);
    let victim = WorkerProcess::start(&url, &ledger, &[("NAQ_DIE_AT", place)]);
    new.create("one").await.unwrap();
    victim.died().await;
    let heir = WorkerProcess::start(&url, &ledger, &[]);
    let mut ended = 0;
    for _ in 0..3 {
        let before = Instant::now();
        eventually(LONG, async || match ledger.ends().len() {
            now if now > ended => Ok(()),
            now => Err(now),
        })
        .await;
        ended = ledger.ends().len();
        assert!(before.elapsed() < RELEASED, "it has come back by itself");
    }
    bed.jobs.schedules().delete(&name("one")).await.unwrap();
    bed.emptied().await;
    assert!(heir.terminate().await);
    let mut running = None;
    for entry in ledger.entries() {
        assert!(
            running.as_ref().is_none_or(|id| *id == entry.id),
            "{} while {running:?} runs",
            entry.id
        );
        running = (entry.what == "start").then_some(entry.id);
    }
    let ends = ledger.ends();
    let ids: Vec<String> = ends.keys().cloned().collect();
    assert_eq!(instants(&ids, "one").len(), ends.len());
    assert!(ends.values().all(|ends| *ends == 1), "{ends:?}");
}

#[tokio::test]
async fn dead_after_a_firing_was_kept_back_it_is_released_all_the_same() {
    dies_at("firing-stored").await;
}

#[tokio::test]
async fn dead_after_the_outcome_the_next_job_is_released_by_the_redelivery() {
    dies_at("awaited-job-ended").await;
}

#[tokio::test]
async fn dead_after_the_release_the_next_job_runs_once() {
    dies_at("heir-released").await;
}

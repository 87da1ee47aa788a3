//! Who is there: the list of workers, as anybody on the server sees it.

use std::time::{Duration, Instant};

use naq_jobs::{JobContext, JobError, Jobs, Kind, RunningWorker, WorkerInfo, WorkerStatus};
use naq_testing::{eventually, eventually_eq};

use crate::setup::{Bed, Gate, LONG};

const WAIT: Kind<(), ()> = Kind::new("wait").queue("gated");

/// All crates have one.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const TTL: Duration = Duration::from_secs(2);

async fn bed() -> Bed {
    Bed::with(|settings| {
        settings.workers.ttl = TTL;
        settings.workers.heartbeat_interval = TTL / 2;
    })
    .await
}

async fn gated_worker(bed: &Bed, gate: &Gate, name: &str) -> RunningWorker {
    let gate = gate.clone();
    bed.jobs
        .worker()
        .name(name)
        .concurrency(3)
        .handle(WAIT, move |_: JobContext, ()| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok::<_, JobError>(())
            }
        })
        .start()
        .await
        .unwrap()
}

/// The one worker, as soon as it shows `status`; nobody else is listed.
async fn shown(jobs: &Jobs, status: WorkerStatus) -> WorkerInfo {
    eventually(LONG, async || match &jobs.workers().await.unwrap()[..] {
        [one] if one.record.status == status => Ok(one.clone()),
        seen => Err(seen.to_vec()),
    })
    .await
}

async fn nobody(jobs: &Jobs) {
    eventually_eq(LONG, 0, async || jobs.workers().await.unwrap().len()).await;
}

/// AC-05, W-14.
#[tokio::test]
async fn a_worker_is_listed_idle_then_busy_with_its_jobs_then_idle_then_stopping_then_gone() {
    let bed = bed().await;
    let watcher = bed.other(|_| {}).await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate, "mailer").await;
    let idle = shown(&watcher, WorkerStatus::Idle).await.record;
    assert_eq!(idle.worker_id, worker.id());
    assert!(idle.worker_id.starts_with("mailer-"), "{}", idle.worker_id);
    assert_eq!(
        (idle.queues, idle.concurrency),
        (vec!["gated".to_owned()], 3)
    );
    assert_eq!(idle.pid, std::process::id());
    assert!(idle.running.is_empty() && !idle.hostname.is_empty());
    assert_eq!(
        (idle.version.as_str(), idle.kinds),
        (VERSION, vec!["wait".to_owned()])
    );
    let shown_connection = async || {
        let record = shown(&watcher, WorkerStatus::Idle).await.record;
        record
            .connection
            .filter(|conn| conn.rtt_us > 0)
            .ok_or("none yet")
    };
    let connection = eventually(LONG, shown_connection).await;
    assert_eq!(
        (connection.server.as_str(), connection.epoch),
        (bed.server.name(), 1)
    );

    let job = bed.jobs.enqueue(WAIT.job(&()).unwrap()).await.unwrap();
    let busy = shown(&watcher, WorkerStatus::Busy).await;
    let running = &busy.record.running[0];
    assert_eq!(running.job_id, job.id().as_str());
    assert_eq!(
        (
            running.kind.as_str(),
            running.queue.as_str(),
            running.attempt
        ),
        ("wait", "gated", 1)
    );
    assert!(!busy.seen_at.is_empty());

    // One of two jobs ends: the worker is still busy, with the other.
    let second = bed.jobs.enqueue(WAIT.job(&()).unwrap()).await.unwrap();
    gate.started(2).await;
    eventually_eq(LONG, 2, async || {
        shown(&watcher, WorkerStatus::Busy)
            .await
            .record
            .running
            .len()
    })
    .await;
    gate.open(1);
    job.result(LONG).await.unwrap();
    eventually_eq(LONG, vec![second.id().to_string()], async || {
        let running = shown(&watcher, WorkerStatus::Busy).await.record.running;
        running.into_iter().map(|job| job.job_id).collect()
    })
    .await;
    gate.open(1);
    second.result(LONG).await.unwrap();
    shown(&watcher, WorkerStatus::Idle).await;

    bed.jobs.enqueue(WAIT.job(&()).unwrap()).await.unwrap();
    gate.started(3).await;
    let watch = async {
        shown(&watcher, WorkerStatus::Stopping).await;
        gate.open(1);
    };
    tokio::join!(worker.stop(LONG), watch);
    assert!(watcher.workers().await.unwrap().is_empty(), "gone at once");
}

/// AC-05.
#[tokio::test]
async fn a_worker_stays_listed_while_its_job_takes_longer_than_the_records_live() {
    let bed = bed().await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate, "long").await;
    bed.jobs.enqueue(WAIT.job(&()).unwrap()).await.unwrap();
    let first = shown(&bed.jobs, WorkerStatus::Busy).await;
    let begun = Instant::now();
    let mut seen = first.seen_at.clone();
    while begun.elapsed() < TTL * 2 {
        seen = eventually(LONG, async || {
            let now = shown(&bed.jobs, WorkerStatus::Busy).await;
            if now.seen_at == seen {
                Err("the same record")
            } else {
                Ok(now.seen_at)
            }
        })
        .await;
    }
    gate.open(1);
    assert_eq!(worker.stop(LONG).await.completed, 1);
}

/// AC-05, W-23.
#[tokio::test]
async fn a_worker_that_dies_disappears_when_its_record_has_expired() {
    let bed = bed().await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate, "dies").await;
    shown(&bed.jobs, WorkerStatus::Idle).await;
    drop(worker);
    let begun = Instant::now();
    nobody(&bed.jobs).await;
    let took = begun.elapsed();
    assert!(took < TTL * 3, "{took:?}");
    assert_eq!(bed.server.jsz().await.messages("naq_workers"), 0);
}

#[tokio::test]
async fn each_of_many_workers_is_listed_under_an_id_of_its_own() {
    let bed = bed().await;
    let gate = Gate::new();
    let mut workers = Vec::new();
    for _ in 0..5 {
        // A name that is no subject becomes one.
        workers.push(gated_worker(&bed, &gate, "my worker.*").await);
    }
    let mut ids: Vec<String> = workers.iter().map(|w| w.id().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    eventually_eq(LONG, ids, async || {
        let listed = bed.jobs.workers().await.unwrap().into_iter();
        let mut ids: Vec<String> = listed.map(|w| w.record.worker_id).collect();
        ids.sort();
        ids
    })
    .await;
    for worker in workers {
        worker.stop(LONG).await;
    }
    assert!(bed.jobs.workers().await.unwrap().is_empty());
}

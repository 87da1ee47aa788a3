//! Stopping: gracefully, at once, and by being dropped; and jobs that no worker ever settles.

use std::time::{Duration, Instant};

use naq_jobs::{
    JobContext, JobError, JobHandle, Jobs, Kind, RetryPolicy, RunningWorker, WorkerStatus,
};
use naq_testing::{eventually, eventually_eq};

use crate::setup::{Bed, Gate, LONG, Ledger};

/// Stands before the gate and returns the attempt.
const WAIT: Kind<u32, u32> = Kind::new("wait").queue("gated");

async fn gated_worker(jobs: &Jobs, gate: &Gate, ledger: &Ledger, slots: u32) -> RunningWorker {
    let (gate, ledger) = (gate.clone(), ledger.clone());
    jobs.worker()
        .concurrency(slots)
        .handle(WAIT, move |context: JobContext, _: u32| {
            let (gate, ledger) = (gate.clone(), ledger.clone());
            async move {
                ledger.note(&context);
                gate.pass().await;
                Ok::<_, JobError>(context.attempt())
            }
        })
        .start()
        .await
        .unwrap()
}

async fn put(bed: &Bed, count: u32) -> Vec<JobHandle<u32>> {
    let jobs = (0..count).map(|n| WAIT.job(&n).unwrap());
    let handles = bed.jobs.enqueue_many(jobs).await;
    handles.into_iter().map(Result::unwrap).collect()
}

/// AC-20, AC-24.
#[tokio::test]
async fn a_graceful_stop_lets_running_jobs_finish_and_takes_no_more() {
    let bed = Bed::new().await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let worker = gated_worker(&bed.jobs, &gate, &ledger, 2).await;
    let id = worker.id().to_owned();
    let handles = put(&bed, 6).await;
    gate.started(2).await;
    let release = async {
        // The others see that it stops; only then may its jobs go on.
        eventually(LONG, async || {
            let workers = bed.jobs.workers().await.unwrap();
            let mine = workers.into_iter().find(|w| w.record.worker_id == id);
            match mine.map(|w| (w.record.status, w.record.running.len())) {
                Some((WorkerStatus::Stopping, 2)) => Ok(()),
                seen => Err(seen),
            }
        })
        .await;
        gate.open(6);
    };
    let (report, ()) = tokio::join!(worker.stop(LONG), release);
    assert_eq!((report.completed, report.abandoned), (2, 0));
    assert_eq!(gate.ever(), 2);
    assert_eq!(bed.waiting().await, 4);
    let rest = gated_worker(&bed.jobs, &gate, &ledger, 2).await;
    for handle in handles {
        handle.result(LONG).await.unwrap();
    }
    assert_eq!(ledger.ids().len(), 6, "each job ran once");
    rest.stop(LONG).await;
}

/// AC-20.
#[tokio::test]
async fn a_stop_without_grace_hands_the_running_jobs_to_the_others_at_once() {
    let lease = Duration::from_secs(30);
    let bed = Bed::with(|settings| settings.queues.ack_wait = lease).await;
    let other = bed.other(|settings| settings.queues.ack_wait = lease).await;
    let (gate, open, ledger) = (Gate::new(), Gate::new(), Ledger::default());
    open.open(3);
    let first = gated_worker(&bed.jobs, &gate, &ledger, 3).await;
    let handles = put(&bed, 3).await;
    gate.started(3).await;
    let second = gated_worker(&other, &open, &ledger, 3).await;
    let begun = Instant::now();
    let report = first.stop(Duration::ZERO).await;
    assert_eq!((report.completed, report.handed_back), (0, 3));
    for handle in &handles {
        assert_eq!(handle.result(LONG).await.unwrap(), 2, "the second attempt");
        assert_eq!(ledger.attempts(handle.id().as_str()), [1, 2]);
    }
    let elapsed = begun.elapsed();
    assert!(elapsed < lease / 2, "{elapsed:?}");
    assert_eq!(second.stop(LONG).await.completed, 3);
    bed.emptied().await;
}

/// Deployments hand a long job back again and again; that is no reason to give it up.
#[tokio::test]
async fn a_job_that_is_handed_back_often_is_never_given_up_for_it() {
    let bed = Bed::with(|settings| settings.queues.max_deliver = 2).await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let handle = put(&bed, 1).await.remove(0);
    for round in 1..=6 {
        let worker = gated_worker(&bed.jobs, &gate, &ledger, 1).await;
        gate.started(round).await;
        assert_eq!(worker.stop(Duration::ZERO).await.handed_back, 1);
    }
    gate.open(1);
    let worker = gated_worker(&bed.jobs, &gate, &ledger, 1).await;
    assert_eq!(handle.result(LONG).await.unwrap(), 7);
    let id = handle.id().as_str();
    assert_eq!(ledger.attempts(id), [1, 2, 3, 4, 5, 6, 7]);
    worker.stop(LONG).await;
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
}

#[tokio::test]
async fn a_stop_is_bounded_while_the_server_does_not_answer() {
    let bed = Bed::new().await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let worker = gated_worker(&bed.jobs, &gate, &ledger, 3).await;
    put(&bed, 3).await;
    gate.started(3).await;
    bed.server.pause().await.unwrap();
    let begun = Instant::now();
    worker.stop(Duration::from_millis(100)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    bed.server.resume().unwrap();
}

/// The subjects that the clients listen on, as the server has them, and the tasks of this test.
async fn listening(bed: &Bed) -> (Vec<String>, usize) {
    let connections = bed.server.connz().await.connections;
    let mut subjects: Vec<String> = connections.into_iter().flat_map(|c| c.subjects).collect();
    subjects.sort();
    let tasks = tokio::runtime::Handle::current().metrics();
    (subjects, tasks.num_alive_tasks())
}

#[tokio::test]
async fn a_worker_leaves_nothing_behind_however_it_ends() {
    let bed = Bed::new().await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    gate.open(1);
    // The first request makes the client's inbox, which stays.
    gated_worker(&bed.jobs, &gate, &ledger, 2)
        .await
        .stop(LONG)
        .await;
    let before = listening(&bed).await;
    for round in 0_u32..4 {
        put(&bed, 1).await;
        let worker = gated_worker(&bed.jobs, &gate, &ledger, 2).await;
        gate.started(usize::try_from(round).unwrap() + 1).await;
        let during = listening(&bed).await;
        assert!(
            during.0.len() > before.0.len() && during.1 > before.1,
            "{during:?}"
        );
        match round {
            0 => drop(worker.stop(LONG).await),
            1 => drop(worker.stop(Duration::ZERO).await),
            _ => drop(worker),
        }
        eventually_eq(LONG, before.clone(), async || listening(&bed).await).await;
        gate.open(usize::from(round == 0));
    }
}

/// Attempts are counted on whatever ended them: a lost worker, then an error.
#[tokio::test]
async fn attempts_are_counted_on_over_a_lost_worker_and_a_retry() {
    let bed = Bed::new().await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let policy = RetryPolicy::fixed(2, Duration::from_secs(1));
    let job = WAIT.job(&1).unwrap().retry(policy);
    let job = bed.jobs.enqueue(job).await.unwrap();
    let worker = gated_worker(&bed.jobs, &gate, &ledger, 1).await;
    gate.started(1).await;
    worker.stop(Duration::ZERO).await;
    let noting = ledger.clone();
    let failing = bed
        .jobs
        .worker()
        .handle(WAIT, move |context: JobContext, _: u32| {
            noting.note(&context);
            async { Err::<u32, _>(JobError::message("no")) }
        });
    let failing = failing.start().await.unwrap();
    let outcome = job.outcome(LONG).await.unwrap();
    assert_eq!(ledger.attempts(job.id().as_str()), [1, 2, 3, 4]);
    assert_eq!(outcome.attempt, 4);
    failing.stop(LONG).await;
}

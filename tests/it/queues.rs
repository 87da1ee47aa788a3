//! Several queues, several workers: routing, limits, fairness, and the settings that they share.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use naq_jobs::{JobContext, JobError, Jobs, JobsErrorKind, Kind, RunningWorker};
use naq_testing::eventually_eq;
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, Gate, LONG, Ledger, echo};

const S: Duration = Duration::from_secs(1);

/// Stands before the gate.
const WAIT: Kind<u32, u32> = Kind::new("wait");

async fn noting_worker(jobs: &Jobs, ledger: &Ledger, queue: &str) -> RunningWorker {
    let ledger = ledger.clone();
    jobs.worker()
        .queue(queue)
        .handle(ECHO, move |context: JobContext, value: Value| {
            let ledger = ledger.clone();
            async move {
                ledger.note(&context);
                // Slower than the enqueuing, so that jobs pile up.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok::<_, JobError>(value)
            }
        })
        .start()
        .await
        .unwrap()
}

/// AC-22. The measure of "roughly first in, first out": how far, on average, the place of a job in the order of the
/// starts is from its place in the order of the enqueuing. Three workers with ten slots each make it a few places.
#[tokio::test]
async fn three_workers_share_a_thousand_jobs_once_each_and_roughly_in_order() {
    const COUNT: usize = 1000;
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let mut workers = Vec::new();
    for _ in 0..3 {
        let jobs = bed.other(|_| {}).await;
        workers.push(noting_worker(&jobs, &ledger, "shared").await);
    }
    let (mut places, mut handles) = (BTreeMap::new(), Vec::new());
    for place in 0..COUNT {
        let job = ECHO.job(&json!(place)).unwrap().queue("shared").unwrap();
        let handle = bed.jobs.enqueue(job).await.unwrap();
        places.insert(handle.id().to_string(), place);
        handles.push(handle);
    }
    for (place, handle) in handles.into_iter().enumerate() {
        assert_eq!(handle.result(LONG).await.unwrap(), json!(place));
    }
    let started = ledger.ids();
    assert_eq!(started.len(), COUNT, "each job starts once");
    let distance = |(place, id): (usize, &String)| place.abs_diff(places[id]);
    let distances: Vec<usize> = started.iter().enumerate().map(distance).collect();
    let sum: usize = distances.iter().sum();
    println!("mean displacement {} places", sum / COUNT);
    assert!(sum / COUNT < 30, "mean displacement {}", sum / COUNT);
    assert_eq!(bed.deliveries("shared").await, 1000);
    let mut shares = Vec::new();
    for worker in workers {
        shares.push(worker.stop(LONG).await.completed);
    }
    println!("shares {shares:?}");
    assert_eq!(shares.iter().sum::<u64>(), 1000);
    assert!(shares.iter().all(|share| *share >= 100), "{shares:?}");
    bed.emptied().await;
}

/// AC-04, W-08.
#[tokio::test]
async fn a_busy_queue_neither_breaks_the_limit_nor_shuts_out_a_quiet_one() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let door = gate.clone();
    let worker = bed
        .jobs
        .worker()
        .concurrency(4)
        .queue("busy")
        .queue("quiet")
        .queue("idle")
        .handle(ECHO, echo)
        .handle(WAIT, move |_: JobContext, n: u32| {
            let door = door.clone();
            async move {
                door.pass().await;
                Ok::<_, JobError>(n)
            }
        })
        .start()
        .await
        .unwrap();
    let job = |n, queue| WAIT.job(&n).unwrap().queue(queue).unwrap();
    let busy = bed
        .jobs
        .enqueue_many((0..100).map(|n| job(n, "busy")))
        .await;
    gate.started(2).await;
    let begun = Instant::now();
    for n in 0..10 {
        let quiet = ECHO.job(&json!(n)).unwrap().queue("quiet").unwrap();
        let quiet = bed.jobs.enqueue(quiet).await.unwrap();
        assert_eq!(quiet.result(LONG).await.unwrap(), json!(n));
    }
    let served = begun.elapsed();
    println!("ten quiet jobs were served within {served:?}");
    assert_eq!(
        gate.ever(),
        2,
        "one slot is kept for each of the other queues"
    );
    let more = ["quiet", "idle"].map(|queue| job(100, queue));
    let more = bed.jobs.enqueue_many(more).await;
    gate.started(4).await;
    // What is delivered starts at once: nothing waits at the worker with its lease running out.
    assert_eq!(bed.deliveries("busy").await, 2);
    gate.open(102);
    for handle in busy.into_iter().chain(more) {
        handle.unwrap().result(LONG).await.unwrap();
    }
    assert_eq!(gate.most(), 4);
    assert_eq!(worker.stop(LONG).await.completed, 112);
    assert_eq!(bed.deliveries("busy").await, 100);
}

/// AC-19.
#[tokio::test]
async fn a_job_runs_on_a_worker_of_its_queue_only() {
    let bed = Bed::new().await;
    let (mail, reports) = (Ledger::default(), Ledger::default());
    let workers = [
        noting_worker(&bed.jobs, &mail, "mail").await,
        noting_worker(&bed.jobs, &reports, "reports").await,
    ];
    let mut expected = [Vec::new(), Vec::new()];
    let mut handles = Vec::new();
    for n in 0..20 {
        let which = n % 2;
        let queue = ["mail", "reports"][which];
        let job = ECHO.job(&json!(n)).unwrap().queue(queue).unwrap();
        let handle = bed.jobs.enqueue(job).await.unwrap();
        expected[which].push(handle.id().to_string());
        handles.push(handle);
    }
    for handle in handles {
        handle.result(LONG).await.unwrap();
    }
    for (mut ran, mut expected) in [mail.ids(), reports.ids()].into_iter().zip(expected) {
        ran.sort();
        expected.sort();
        assert_eq!(ran, expected);
    }
    for worker in workers {
        assert_eq!(worker.stop(LONG).await.completed, 10);
    }
}

#[tokio::test]
async fn a_worker_serves_the_queues_of_its_kinds_unless_it_names_others() {
    let bed = Bed::new().await;
    let mail = Kind::<u32, u32>::new("mail").queue("mail");
    let worker = bed
        .jobs
        .worker()
        .handle(mail, async |_: JobContext, n: u32| Ok::<_, JobError>(n + 1));
    let worker = worker.start().await.unwrap();
    let job = bed.jobs.enqueue(mail.job(&1).unwrap()).await.unwrap();
    assert_eq!(job.result(LONG).await.unwrap(), 2);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn more_queues_than_slots_are_refused_by_the_name_of_the_setting() {
    let bed = Bed::new().await;
    let worker = bed.jobs.worker().handle(ECHO, echo).concurrency(2);
    let error = worker.queue("a").queue("b").queue("c").start().await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::Configuration);
    assert!(error.to_string().contains("workers.concurrency"), "{error}");
    let none = bed.jobs.worker().concurrency(0).start().await.unwrap_err();
    assert!(none.to_string().contains("workers.concurrency"), "{none}");
    // The same queue twice is one queue.
    let worker = bed.jobs.worker().handle(ECHO, echo).concurrency(1);
    let worker = worker.queue("a").queue("a").start().await.unwrap();
    worker.stop(LONG).await;
}

/// AC-19, W-09.
#[tokio::test]
async fn a_second_worker_with_other_limits_really_gets_them() {
    let bed = Bed::with(|settings| settings.queues.max_ack_pending = 2).await;
    let first = bed.jobs.worker().handle(ECHO, echo).queue("mail").start();
    let first = first.await.unwrap();
    let config = bed.consumer("mail").await["config"].take();
    assert_eq!(config["max_ack_pending"], json!(2));
    assert_eq!(config["ack_wait"], json!(6_000_000_000_u64));
    let other = bed
        .other(|settings| {
            settings.queues.max_ack_pending = 500;
            settings.queues.ack_wait = 300 * S;
        })
        .await;
    let gate = Gate::new();
    let door = gate.clone();
    let second =
        other
            .worker()
            .queue("mail")
            .concurrency(16)
            .handle(WAIT, move |_: JobContext, n: u32| {
                let door = door.clone();
                async move {
                    door.pass().await;
                    Ok::<_, JobError>(n)
                }
            });
    first.stop(LONG).await;
    let second = second.start().await.unwrap();
    let config = bed.consumer("mail").await["config"].take();
    assert_eq!(config["max_ack_pending"], json!(500));
    assert_eq!(config["ack_wait"], json!(300_000_000_000_u64));
    let jobs = (0..16).map(|n| WAIT.job(&n).unwrap().queue("mail").unwrap());
    bed.jobs.enqueue_many(jobs).await;
    gate.started(16).await;
    gate.open(16);
    assert_eq!(second.stop(LONG).await.completed, 16);
}

/// AC-19: the settings of one queue leave the others alone.
#[tokio::test]
async fn a_queue_may_have_limits_of_its_own() {
    let bed = Bed::with(|settings| {
        let slow = settings.queues.configs.entry("slow".to_owned());
        let slow = slow.or_default();
        slow.ack_wait = Some(90 * S);
        slow.max_ack_pending = Some(7);
    })
    .await;
    let worker = bed.jobs.worker().handle(ECHO, echo).queue("slow");
    let worker = worker.queue("quick").start().await.unwrap();
    for (queue, ack_wait, pending) in [("slow", 90, 7), ("quick", 6, 10_000)] {
        let config = bed.consumer(queue).await["config"].take();
        assert_eq!(config["ack_wait"], json!(ack_wait * 1_000_000_000_u64));
        assert_eq!(config["max_ack_pending"], json!(pending), "{queue}");
    }
    worker.stop(LONG).await;
}

/// AC-19, W-09: a lease is as long as the consumer says now, not as it said when the worker started.
#[tokio::test]
async fn a_job_runs_once_also_when_a_later_worker_shortens_the_lease() {
    let bed = Bed::with(|settings| settings.queues.ack_wait = 30 * S).await;
    let ledger = Ledger::default();
    let long = Kind::<u64, u64>::new("long").queue("mail");
    let start = |jobs: &Jobs| {
        let ledger = ledger.clone();
        let worker = jobs.worker().concurrency(1);
        let worker = worker.handle(long, move |context: JobContext, millis| {
            ledger.note(&context);
            async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok::<_, JobError>(millis)
            }
        });
        worker.start()
    };
    let first = start(&bed.jobs).await.unwrap();
    let job = bed.jobs.enqueue(long.job(&4000).unwrap()).await.unwrap();
    eventually_eq(LONG, 1, async || ledger.ids().len()).await;
    let other = bed.other(|settings| settings.queues.ack_wait = S).await;
    let second = start(&other).await.unwrap();
    job.result(LONG).await.unwrap();
    assert_eq!(ledger.attempts(job.id().as_str()), [1]);
    first.stop(LONG).await;
    second.stop(LONG).await;
}

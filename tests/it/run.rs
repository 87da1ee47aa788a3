//! Jobs that run: hello world, many jobs, several workers.

use std::time::Duration;

use naq_jobs::{JobContext, JobError, Kind};
use serde_json::json;

use crate::setup::{Bed, ECHO, LONG, Ledger, echo};

const GREET: Kind<String, String> = Kind::new("greet");
const SUM: Kind<Vec<i64>, i64> = Kind::new("calculate_sum");

/// AC-01.
#[tokio::test]
async fn ten_greetings_and_a_sum_run_once_and_return_their_results() {
    let bed = Bed::new().await;
    let worker = bed
        .jobs
        .worker()
        .handle(GREET, async |_: JobContext, name: String| {
            Ok::<_, JobError>(format!("Hello {name}"))
        })
        .handle(SUM, async |_: JobContext, numbers: Vec<i64>| {
            Ok::<_, JobError>(numbers.iter().sum::<i64>())
        })
        .start()
        .await
        .unwrap();
    let names: Vec<String> = (0..10).map(|n| format!("user {n}")).collect();
    let mut greetings = Vec::new();
    for name in &names {
        greetings.push(bed.jobs.enqueue(GREET.job(name).unwrap()).await.unwrap());
    }
    let sum = bed
        .jobs
        .enqueue(SUM.job(&vec![1, 2, 3]).unwrap())
        .await
        .unwrap();
    for (name, greeting) in names.iter().zip(&greetings) {
        assert_eq!(
            greeting.result(LONG).await.unwrap(),
            format!("Hello {name}")
        );
    }
    assert_eq!(sum.result(LONG).await.unwrap(), 6);
    let report = worker.stop(LONG).await;
    assert_eq!(report.completed, 11);
    bed.emptied().await;
    assert_eq!(bed.subjects("naq_results", "naq.result.*").await.len(), 11);
}

/// AC-25, the good half: whatever JSON can say arrives as it was sent.
#[tokio::test]
async fn payloads_and_results_survive_the_round_trip() {
    let bed = Bed::new().await;
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    for value in [
        json!({"nested": {"list": [1, 2.5, null, true, {"deep": []}]}}),
        json!("Zoë 🦀 \u{0} \n \"quoted\" \\ 漢字"),
        json!({"at": "2026-11-21T22:00:00.123Z", "big": u64::MAX, "small": i64::MIN}),
        json!(null),
    ] {
        let job = bed.jobs.enqueue(ECHO.job(&value).unwrap()).await.unwrap();
        assert_eq!(
            job.result(LONG)
                .await
                .unwrap_or_else(|e| panic!("{value}: {e}")),
            value
        );
    }
    worker.stop(LONG).await;
}

/// AC-21, W-07.
#[tokio::test]
async fn a_job_longer_than_the_lease_runs_once() {
    let lease = Duration::from_secs(1);
    let bed = Bed::with(|settings| settings.queues.ack_wait = lease).await;
    let ledger = Ledger::default();
    let noting = ledger.clone();
    let long = Kind::<u64, u64>::new("long").queue("long");
    let worker = bed
        .jobs
        .worker()
        .handle(long, move |context: JobContext, millis: u64| {
            noting.note(&context);
            async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok::<_, JobError>(millis)
            }
        })
        .start()
        .await
        .unwrap();
    let job = bed.jobs.enqueue(long.job(&4000).unwrap()).await.unwrap();
    let watch = async {
        // While it runs, the server has it once, and never again.
        loop {
            let report = bed.server.jsz().await;
            let consumer = &report.stream("naq_jobs").unwrap().consumers[0];
            assert_eq!(consumer.num_redelivered, 0);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let result = tokio::select! {
        result = job.result(LONG) => result.unwrap(),
        () = watch => unreachable!(),
    };
    assert_eq!(result, 4000);
    assert_eq!(bed.deliveries("long").await, 1);
    assert_eq!(ledger.attempts(job.id().as_str()), [1]);
    assert_eq!(worker.stop(LONG).await.completed, 1);
}

/// AC-04: work that blocks its thread goes to `spawn_blocking`, and the lease is renewed meanwhile.
#[tokio::test]
async fn blocking_work_on_a_thread_of_its_own_keeps_the_lease() {
    let lease = Duration::from_secs(1);
    let bed = Bed::with(|settings| settings.queues.ack_wait = lease).await;
    let blocks = Kind::<u64, u64>::new("blocks").queue("blocks");
    let worker = bed
        .jobs
        .worker()
        .handle(blocks, async |_: JobContext, millis: u64| {
            let work = move || std::thread::sleep(Duration::from_millis(millis));
            tokio::task::spawn_blocking(work).await?;
            Ok::<_, JobError>(millis)
        })
        .start()
        .await
        .unwrap();
    let jobs = (0..3).map(|_| blocks.job(&2000).unwrap());
    for job in bed.jobs.enqueue_many(jobs).await {
        assert_eq!(job.unwrap().result(LONG).await.unwrap(), 2000);
    }
    assert_eq!(bed.deliveries("blocks").await, 3);
    assert_eq!(worker.stop(LONG).await.completed, 3);
}

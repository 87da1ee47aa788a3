//! Jobs that run: hello world, many jobs, several workers.

use naq_jobs::{JobContext, JobError, Kind};
use serde_json::json;

use crate::setup::{Bed, ECHO, LONG, echo};

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
    assert_eq!(bed.waiting().await, 0);
    assert_eq!(bed.server.jsz().await.messages("naq_results"), 11);
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

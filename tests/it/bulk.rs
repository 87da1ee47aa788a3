//! Many jobs at once: all or none, and chunks with a place that survives.

use std::time::Duration;

use naq_jobs::{Job, JobContext, JobsErrorKind, Landing, Unique};
use naq_testing::eventually_eq;
use serde_json::{Value, json};

use crate::dead::healthy_worker;
use crate::setup::{Bed, ECHO, LONG, Ledger, echo, job_id};

fn numbered(n: usize) -> Job<Value> {
    ECHO.job(&json!(n)).unwrap().queue("mail").unwrap()
}

#[tokio::test]
async fn a_thousand_jobs_go_in_together_and_one_more_does_not() {
    let bed = Bed::new().await;
    let handles = bed.jobs.enqueue_all((0..1000).map(numbered)).await.unwrap();
    assert_eq!(handles.len(), 1000);
    assert_eq!(bed.waiting().await, 1000);
    let error = bed
        .jobs
        .enqueue_all((0..1001).map(numbered))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::TooLarge);
    assert!(error.to_string().contains("`Jobs::bulk`"), "{error}");
    assert_eq!(bed.waiting().await, 1000);
    let none = bed.jobs.enqueue_all(std::iter::empty::<Job<Value>>()).await;
    assert!(none.unwrap().is_empty());
    let worker = healthy_worker(&bed, "mail").await;
    for (n, handle) in handles.iter().enumerate() {
        assert_eq!(handle.result(LONG).await.unwrap(), json!(n));
    }
    assert_eq!(worker.stop(LONG).await.completed, 1000);
}

#[tokio::test]
async fn one_that_is_there_already_refuses_all_and_is_named() {
    let bed = Bed::with(|settings| settings.payloads.max_size = 0).await;
    let known = numbered(7).id(job_id("order-7"));
    bed.jobs.enqueue(known).await.unwrap();
    let held = numbered(8).unique(Unique::key("k")).id(job_id("held"));
    bed.jobs.enqueue(held).await.unwrap();
    let with = |last: Job<Value>| (0..20).map(numbered).chain([last]);
    for (last, name) in [
        (numbered(1).id(job_id("order-7")), "order-7"),
        (
            numbered(1).unique(Unique::key("k")).id(job_id("mine")),
            "mine",
        ),
    ] {
        let error = bed.jobs.enqueue_all(with(last)).await.unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::AlreadyExists);
        assert!(error.to_string().contains(name), "{error}");
    }
    let twice = || numbered(1).id(job_id("twice"));
    let error = bed.jobs.enqueue_all([twice(), twice()]).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::AlreadyExists);
    let large = ECHO.job(&json!("x".repeat(1_100_000))).unwrap();
    let error = bed.jobs.enqueue_all(with(large)).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::TooLarge);
    assert_eq!(bed.waiting().await, 2);
    // Unique, delayed and with a window: these go in together, too.
    let mixed = [
        numbered(1).unique(Unique::key("w").within(LONG)),
        numbered(2).unique(Unique::key("d")).delay(LONG),
        numbered(3).delay(LONG),
    ];
    bed.jobs.enqueue_all(mixed).await.unwrap();
    let stock = bed.jobs.stock().await.unwrap();
    assert_eq!((stock.waiting, stock.scheduled), (3, 2));
}

#[tokio::test]
async fn a_bulk_goes_on_behind_the_last_job_that_is_in_whoever_opens_it() {
    let bed = Bed::new().await;
    let mut bulk = bed.jobs.bulk("import").await.unwrap();
    assert_eq!(bulk.position(), 0);
    let answers = bulk.push((0..2500).map(numbered)).await.unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap().landing() == Landing::New)
    );
    assert_eq!(answers[2499].as_ref().unwrap().id().as_str(), "import-2499");
    assert_eq!(bulk.position(), 2500);
    // All of them and the cursor.
    assert_eq!(bed.waiting().await, 2501);

    // Another process, long after the server has forgotten the message ids: it goes by the place alone.
    let other = bed.other(|_| {}).await;
    let mut again = other.bulk("import").await.unwrap();
    assert_eq!(again.position(), 2500);
    let rest = (0..3000).map(numbered).skip(again.position());
    assert_eq!(again.push(rest).await.unwrap().len(), 500);
    assert_eq!(bed.waiting().await, 3001);

    // The first one does not know that: it is told, and enqueues nothing.
    let error = bulk.push((2500..3000).map(numbered)).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::Conflict);
    assert_eq!(bed.waiting().await, 3001);
    let worker = healthy_worker(&bed, "mail").await;
    eventually_eq(LONG, 1, async || bed.waiting().await).await;
    assert_eq!(worker.stop(LONG).await.completed, 3000);
    for bad in ["", "a.b", &"x".repeat(41)] {
        let error = bed.jobs.bulk(bad).await.unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::InvalidName, "{bad:?}");
    }
}

#[tokio::test]
async fn jobs_of_a_bulk_that_cannot_be_stored_stop_no_others() {
    let bed = Bed::with(|settings| settings.payloads.max_size = 0).await;
    let known = numbered(0).id(job_id("known"));
    bed.jobs.enqueue(known).await.unwrap();
    let held = bed
        .jobs
        .enqueue(numbered(0).unique(Unique::key("k")))
        .await
        .unwrap();
    let jobs = (0..600).map(|n| match n {
        17 => numbered(n).id(job_id("known")),
        300 => numbered(n).unique(Unique::key("k")),
        301 => ECHO.job(&json!("x".repeat(1_100_000))).unwrap(),
        // The same key as one right before it, in the same chunk.
        401 | 402 => numbered(n).unique(Unique::key("pair")),
        599 => numbered(n).unique(Unique::key("")),
        _ => numbered(n),
    });
    let mut bulk = bed.jobs.bulk("mixed").await.unwrap();
    let answers = bulk.push(jobs).await.unwrap();
    assert_eq!((answers.len(), bulk.position()), (600, 600));
    for (n, answer) in answers.iter().enumerate() {
        let landing = answer.as_ref().map(|handle| handle.landing());
        match n {
            17 | 300 | 402 => assert_eq!(landing.unwrap(), Landing::Existing, "{n}"),
            301 => assert_eq!(landing.unwrap_err().kind(), JobsErrorKind::TooLarge),
            599 => assert_eq!(landing.unwrap_err().kind(), JobsErrorKind::InvalidName),
            _ => assert_eq!(landing.unwrap(), Landing::New, "{n}"),
        }
    }
    let id = |n: usize| answers[n].as_ref().unwrap().id();
    assert_eq!((id(300), id(402)), (held.id(), id(401)));
    // 595 new ones, the two from before, the cursor.
    assert_eq!(bed.waiting().await, 598);
}

#[tokio::test]
async fn a_bulk_over_restarts_of_the_server_has_each_job_once() {
    let bed = Bed::new().await;
    let jobs = bed
        .other(|settings| settings.nats.request_timeout = Duration::from_secs(2))
        .await;
    let pushing = async {
        loop {
            let pushed = async {
                let mut bulk = jobs.bulk("import").await?;
                bulk.push((0..20_000).map(numbered).skip(bulk.position()))
                    .await?;
                Ok::<_, naq_jobs::JobsError>(bulk.position())
            };
            match pushed.await {
                Ok(position) => break position,
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    };
    let restarting = async {
        for _ in 0..3 {
            bed.server.kill().await.unwrap();
            bed.server.restart().await.unwrap();
        }
    };
    let (position, ()) = futures::join!(pushing, restarting);
    assert_eq!(position, 20_000);
    assert_eq!(bed.waiting().await, 20_001);
}

/// AC-03.
#[tokio::test]
async fn one_session_of_notifications_reports_delayed_and_timed_jobs_runs_each_once_in_order() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let named = |name: String| numbered(1).id(job_id(&name));
    let second = Duration::from_secs(1);
    let many = bed
        .jobs
        .enqueue_many((0..50).map(|n| named(format!("note-{n}"))))
        .await;
    assert!(many.iter().all(Result::is_ok));
    let reports = (0..10).map(|n| named(format!("report-{n}")));
    bed.jobs.enqueue_all(reports).await.unwrap();
    for (n, wait) in [(3, 3 * second), (1, second)] {
        let delayed = named(format!("later-{n}")).delay(wait);
        bed.jobs.enqueue(delayed).await.unwrap();
    }
    let timed = named("later-2".to_owned()).at(std::time::SystemTime::now() + 2 * second);
    bed.jobs.enqueue(timed).await.unwrap();
    let noting = ledger.clone();
    let handler = move |context: JobContext, value| {
        noting.note(&context);
        echo(context, value)
    };
    let worker = bed.jobs.worker().handle(ECHO, handler).concurrency(1);
    let worker = worker.queue("mail").start().await.unwrap();
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(worker.stop(LONG).await.completed, 63);
    let ids = ledger.ids();
    let of = |kind: &str| -> Vec<String> {
        let own = ids.iter().filter(|id| id.starts_with(kind));
        own.cloned().collect()
    };
    let all = |kind: &str, count| {
        (0..count)
            .map(|n| format!("{kind}-{n}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("note"), all("note", 50));
    assert_eq!(of("report"), all("report", 10));
    assert_eq!(of("later"), ["later-1", "later-2", "later-3"]);
}

//! Why a job does not run: each reason from a real server.

use std::time::Duration;

use naq_jobs::{JobContext, JobError, Kind, Reason, RetryPolicy};
use naq_testing::eventually;
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, Gate, LONG, job_id};

const GATED: Kind<Value, Value> = Kind::new("gated");

async fn put(bed: &Bed, kind: Kind<Value, Value>, id: &str) {
    let job = kind
        .job(&json!(1))
        .unwrap()
        .queue("mail")
        .unwrap()
        .id(job_id(id));
    bed.jobs.enqueue(job).await.unwrap();
}

/// The first reason, as soon as it fits.
async fn reason(bed: &Bed, id: &str, fits: impl Fn(&Reason) -> bool) -> Reason {
    eventually(LONG, async || {
        let explained = bed.jobs.explain(&job_id(id)).await.unwrap();
        assert!(explained.facts.unread.is_empty(), "{explained:?}");
        let first = explained.reasons[0].clone();
        if fits(&first) {
            Ok(first)
        } else {
            Err(explained)
        }
    })
    .await
}

#[tokio::test]
async fn a_job_is_explained_on_its_way_through_a_queue_without_and_with_workers() {
    let bed = Bed::new().await;
    put(&bed, GATED, "a").await;
    let nobody = reason(&bed, "a", |_| true).await;
    assert_eq!(
        nobody,
        Reason::NobodyServes {
            queue: "mail".into()
        }
    );
    let gate = Gate::new();
    let door = gate.clone();
    let handler = move |_: JobContext, value: Value| {
        let door = door.clone();
        async move {
            door.pass().await;
            Ok::<_, JobError>(value)
        }
    };
    let worker = bed
        .jobs
        .worker()
        .concurrency(1)
        .queue("mail")
        .handle(GATED, handler);
    let worker = worker.start().await.unwrap();
    gate.started(1).await;
    let runs = reason(&bed, "a", |r| matches!(r, Reason::Runs { .. })).await;
    let Reason::Runs {
        worker: id,
        attempt: Some(1),
        ..
    } = &runs
    else {
        panic!("{runs:?}");
    };
    assert_eq!(*id, bed.jobs.workers().await.unwrap()[0].record.worker_id);
    put(&bed, GATED, "b").await;
    put(&bed, GATED, "c").await;
    let busy = reason(&bed, "c", |r| matches!(r, Reason::AllBusy { .. })).await;
    assert_eq!(
        busy,
        Reason::AllBusy {
            running: 1,
            slots: 1,
            workers: 1
        }
    );
    let all = bed.jobs.explain(&job_id("c")).await.unwrap().reasons;
    assert_eq!(all[1..], [Reason::InLine { ahead: Some(1) }]);
    gate.open(3);
    reason(&bed, "c", |r| matches!(r, Reason::Completed { .. })).await;
    let never = reason(&bed, "never-was", |_| true).await;
    assert_eq!(never, Reason::Unknown);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_paused_queue_an_unknown_kind_a_retry_and_a_failure_are_explained() {
    let bed = Bed::new().await;
    let failing = async |_: JobContext, _: Value| Err::<Value, _>(JobError::message("no user 7"));
    let worker = bed
        .jobs
        .worker()
        .queue("mail")
        .handle(ECHO, failing)
        .start()
        .await
        .unwrap();
    put(&bed, GATED, "unknown").await;
    let unknown = reason(&bed, "unknown", |r| matches!(r, Reason::NobodyKnows { .. })).await;
    assert_eq!(
        unknown,
        Reason::NobodyKnows {
            kind: "gated".into(),
            workers: 1
        }
    );

    let policy = RetryPolicy::fixed(2, Duration::from_secs(3600));
    let job = ECHO
        .job(&json!(1))
        .unwrap()
        .queue("mail")
        .unwrap()
        .id(job_id("retry"));
    bed.jobs.enqueue(job.retry(policy)).await.unwrap();
    let later = reason(&bed, "retry", |r| matches!(r, Reason::NotDue { .. })).await;
    let Reason::NotDue {
        retry: 1,
        retries: 2,
        in_ms,
        ..
    } = later
    else {
        panic!("{later:?}");
    };
    assert!((3_500_000..=3_600_500).contains(&in_ms), "{in_ms}");

    put(&bed, ECHO, "failed").await;
    let failed = reason(&bed, "failed", |r| {
        matches!(
            r,
            Reason::Failed {
                dead_letter: true,
                ..
            }
        )
    })
    .await;
    assert_eq!(failed.to_string(), "it failed for good (error): no user 7");

    let controls = bed.jobs.controls();
    let mail = "mail".parse().unwrap();
    controls
        .pause_queue(&mail, Some("mail server is moved"))
        .await
        .unwrap();
    put(&bed, ECHO, "held").await;
    let held = reason(&bed, "held", |_| true).await;
    let Reason::QueuePaused {
        why: Some(why),
        since: Some(_),
        ..
    } = &held
    else {
        panic!("{held:?}");
    };
    assert_eq!(why, "mail server is moved");
    assert!(bed.jobs.queue(&mail).await.unwrap().is_paused);
    controls.resume_queue(&mail).await.unwrap();
    reason(&bed, "held", |r| matches!(r, Reason::Failed { .. })).await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_job_of_a_worker_that_fell_silent_is_explained() {
    let bed = Bed::with(|settings| {
        settings.workers.heartbeat_interval = Duration::from_secs(1);
        settings.queues.ack_wait = Duration::from_secs(600);
    })
    .await;
    // A worker of another process that has taken the job and is gone: what it showed last is still there.
    put(&bed, ECHO, "lost").await;
    let conn = bed.conn().await;
    let consumer = json!({
        "stream_name": "naq_jobs", "action": "",
        "config": {
            "durable_name": "naq-worker-mail", "filter_subject": "naq.queue.mail.*",
            "ack_policy": "explicit", "ack_wait": 600_000_000_000_u64,
        },
    });
    bed.ask(
        "CONSUMER.CREATE.naq_jobs.naq-worker-mail.naq.queue.mail.*",
        consumer,
    )
    .await;
    let taken = conn
        .request("$JS.API.CONSUMER.MSG.NEXT.naq_jobs.naq-worker-mail", "1")
        .await;
    assert!(!taken.unwrap().payload.is_empty(), "delivered to us");
    reason(&bed, "lost", |r| {
        matches!(r, Reason::InHand { lease_ms: 600_000 })
    })
    .await;
    let record = json!({
        "v": 1, "worker_id": "gone", "hostname": "h", "pid": 1, "status": "busy", "queues": ["mail"],
        "concurrency": 1, "started_at_ms": 0, "version": "0",
        "running": [{"job_id": "lost", "kind": "echo", "queue": "mail", "attempt": 1, "started_at_ms": 0}],
    });
    conn.publish_acked(
        "naq.worker.gone",
        async_nats::HeaderMap::new(),
        record.to_string(),
    )
    .await
    .unwrap();
    reason(&bed, "lost", |r| matches!(r, Reason::Runs { .. })).await;
    let silent = reason(&bed, "lost", |r| matches!(r, Reason::WorkerSilent { .. })).await;
    assert!(
        silent
            .to_string()
            .contains("its worker gone has been silent"),
        "{silent}"
    );
}

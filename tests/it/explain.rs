//! Why a job does not run: each reason from a real server.

use std::time::Duration;

use naq_jobs::{
    JobContext, JobError, Kind, Overlap, Reason, RetryPolicy, RunningWorker, ScheduleName,
    ScheduleReason,
};
use naq_testing::{eventually, eventually_eq};
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

/// A worker of the queue whose jobs stand before the gate.
async fn gated(bed: &Bed, gate: &Gate, slots: u32) -> RunningWorker {
    let door = gate.clone();
    let handler = move |_: JobContext, value: Value| {
        let door = door.clone();
        async move {
            door.pass().await;
            Ok::<_, JobError>(value)
        }
    };
    let worker = bed.jobs.worker().concurrency(slots).queue("mail");
    worker.handle(GATED, handler).start().await.unwrap()
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
    let worker = gated(&bed, &gate, 1).await;
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
async fn an_unknown_kind_a_retry_and_a_failure_are_explained() {
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

    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_paused_queue_is_explained_with_the_words_of_who_paused_it() {
    let bed = Bed::new().await;
    let worker = crate::dead::broken_worker(&bed, &["mail"]).await;
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
    let inbox = conn.new_inbox();
    let mut taken = conn.subscribe(inbox.clone()).await.unwrap();
    let next = "$JS.API.CONSUMER.MSG.NEXT.naq_jobs.naq-worker-mail";
    let no_headers = async_nats::HeaderMap::new();
    conn.publish_with_reply(next, inbox, no_headers, "1")
        .await
        .unwrap();
    taken.next().await.unwrap();
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

#[tokio::test]
async fn a_limited_job_is_told_who_holds_the_places_and_a_paused_kind_who_paused_it() {
    let bed = Bed::new().await;
    let mail = "mail".parse().unwrap();
    let controls = bed.jobs.controls().by("ada");
    controls
        .limit_queue(&mail, |setting| setting.max_running_per_key = Some(1))
        .await
        .unwrap();
    let gate = Gate::new();
    let worker = gated(&bed, &gate, 4).await;
    for id in ["first", "second"] {
        let job = GATED.job(&json!(1)).unwrap().queue("mail").unwrap();
        let job = job.id(job_id(id)).limit_key("tenant-7").unwrap();
        bed.jobs.enqueue(job).await.unwrap();
    }
    gate.started(1).await;
    let limited = eventually(LONG, async || {
        let mut seen = Vec::new();
        for id in ["first", "second"] {
            seen.extend(bed.jobs.explain(&job_id(id)).await.unwrap().reasons);
        }
        let limited = seen.iter().find(|r| matches!(r, Reason::Limited { .. }));
        limited.cloned().ok_or(seen)
    })
    .await;
    let Reason::Limited {
        key,
        holders,
        next_look: Some(_),
    } = &limited
    else {
        panic!("{limited:?}");
    };
    assert_eq!((key.as_str(), holders.len()), ("tenant-7", 1));
    assert!(
        ["first", "second"].contains(&holders[0].job.as_str()),
        "{holders:?}"
    );
    assert_eq!(bed.jobs.queue(&mail).await.unwrap().parked, 1);
    gate.open(2);
    for id in ["first", "second"] {
        reason(&bed, id, |r| matches!(r, Reason::Completed { .. })).await;
    }
    let kind = "gated".parse().unwrap();
    controls
        .pause_kind(&kind, Some("its API is down"))
        .await
        .unwrap();
    put(&bed, GATED, "held").await;
    let held = reason(&bed, "held", |r| matches!(r, Reason::KindPaused { .. })).await;
    let text = held.to_string();
    assert!(text.contains("by ada: its API is down"), "{text}");
    gate.open(1);
    controls.resume_kind(&kind).await.unwrap();
    reason(&bed, "held", |r| matches!(r, Reason::Completed { .. })).await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_job_beyond_the_limit_of_its_queue_is_told_who_runs_also_while_a_worker_has_it() {
    let bed = Bed::new().await;
    let mail = "mail".parse().unwrap();
    let controls = bed.jobs.controls();
    let set = controls.limit_queue(&mail, |set| set.max_running = Some(1));
    set.await.unwrap();
    let gate = Gate::new();
    let worker = gated(&bed, &gate, 4).await;
    put(&bed, GATED, "runs").await;
    gate.started(1).await;
    // With one priority the server gives out no more than may run; with two, some wait in a worker.
    put(&bed, GATED, "waits").await;
    let waits = |id: &'static str, in_worker: bool| {
        let first = if in_worker { "runs-too" } else { "runs" };
        reason(&bed, id, move |reason| match reason {
            Reason::QueueLimited {
                queue,
                limit: 1,
                holders,
                looks_every_ms,
            } => {
                let holder = &holders[0];
                queue == "mail"
                    && (holders.len(), holder.job.as_str()) == (1, first)
                    && holder.worker.is_some()
                    && holder.since.is_some()
                    && looks_every_ms.is_some() == in_worker
            }
            _ => false,
        })
    };
    let text = waits("waits", false).await.to_string();
    assert!(text.starts_with("the queue mail is limited to 1 running job(s): runs on"));
    gate.open(2);
    reason(&bed, "waits", |r| matches!(r, Reason::Completed { .. })).await;
    let job = GATED.job(&json!(1)).unwrap().queue("mail").unwrap();
    let low = job.priority(naq_jobs::Priority::Low).id(job_id("low"));
    bed.jobs.enqueue(low).await.unwrap();
    gate.open(1);
    reason(&bed, "low", |r| matches!(r, Reason::Completed { .. })).await;
    put(&bed, GATED, "runs-too").await;
    gate.started(4).await;
    put(&bed, GATED, "in-line").await;
    let text = waits("in-line", true).await.to_string();
    assert!(text.contains("it waits in a worker"), "{text}");
    gate.open(2);
    reason(&bed, "in-line", |r| matches!(r, Reason::Completed { .. })).await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_schedule_is_explained_and_so_is_a_job_that_it_keeps_back() {
    let bed = Bed::new().await;
    let name: ScheduleName = "slow".parse().unwrap();
    let words = async || -> Vec<String> {
        let explained = bed.jobs.explain_schedule(&name).await.unwrap().unwrap();
        let word = |reason| serde_json::to_value(reason).unwrap()["reason"].clone();
        let words = explained.reasons.into_iter().map(word);
        words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    assert!(bed.jobs.explain_schedule(&name).await.unwrap().is_none());
    let job = GATED.job(&json!(1)).unwrap().queue("mail").unwrap();
    let new = bed.jobs.schedule(job).every(Duration::from_secs(1));
    let new = new.overlap(Overlap::Queue).paused();
    new.create("slow").await.unwrap();
    assert_eq!(words().await, ["paused"]);
    bed.jobs.schedules().resume(&name).await.unwrap();
    assert_eq!(words().await, ["nobody_serves", "fires"]);
    // Nobody handles its firing either.
    let overdue = ["overdue", "nobody_serves", "fires"].map(str::to_owned);
    eventually_eq(LONG, overdue.to_vec(), &words).await;
    let gate = Gate::new();
    let worker = gated(&bed, &gate, 10).await;
    gate.started(1).await;
    let kept = ["kept_back", "fires"].map(str::to_owned);
    eventually_eq(LONG, kept.to_vec(), &words).await;
    let explained = bed.jobs.explain_schedule(&name).await.unwrap().unwrap();
    let ScheduleReason::KeptBack { job, after } = explained.reasons[0].clone() else {
        panic!("{explained:?}");
    };
    let waits = reason(&bed, &job, |_| true).await;
    assert_eq!(waits, Reason::Awaits { job: after.clone() });
    reason(&bed, &after, |seen| matches!(seen, Reason::Runs { .. })).await;
    bed.jobs.schedules().delete(&name).await.unwrap();
    gate.open(10);
    bed.emptied().await;
    worker.stop(LONG).await;
}

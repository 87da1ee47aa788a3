//! Where jobs are, and how deep the queues: what is read agrees with what happens.

use std::time::{Duration, SystemTime};

use naq_jobs::{
    EventType, JobContext, JobError, JobId, JobStatus, JobsErrorKind, Kind, PendingState,
    PurgePlan, QueueInfo, QueueName, RetryPolicy, RunningWorker, StatsBy, Status,
};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, Gate, LONG, echo, job_id};

const GATED: Kind<Value, Value> = Kind::new("gated");

fn queue_name(text: &str) -> QueueName {
    QueueName::new(text).unwrap()
}

async fn gated_worker(bed: &Bed, gate: &Gate, slots: u32, queues: &[&str]) -> RunningWorker {
    let gate = gate.clone();
    let mut worker =
        bed.jobs
            .worker()
            .concurrency(slots)
            .handle(GATED, move |_: JobContext, value: Value| {
                let gate = gate.clone();
                async move {
                    gate.pass().await;
                    Ok::<_, JobError>(value)
                }
            });
    for queue in queues {
        worker = worker.queue(*queue);
    }
    worker.start().await.unwrap()
}

async fn put(bed: &Bed, queue: &str, id: &str) -> JobId {
    let job = GATED.job(&json!(id)).unwrap().queue(queue).unwrap();
    let job = bed.jobs.enqueue(job.id(job_id(id))).await.unwrap();
    job.id().clone()
}

async fn word(bed: &Bed, id: &JobId) -> &'static str {
    bed.jobs.status(id).await.unwrap().word()
}

#[tokio::test]
async fn a_job_is_followed_from_waiting_to_its_end() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let ids = ["a", "b", "c"].map(job_id);
    assert_eq!(word(&bed, &ids[0]).await, "unknown");
    for id in &ids {
        put(&bed, "mail", id.as_str()).await;
    }
    let status = bed.jobs.status(&ids[2]).await.unwrap();
    assert!(
        matches!(status, JobStatus::Waiting { ahead: None, .. }),
        "nobody ever served the queue: {status:?}"
    );
    let worker = gated_worker(&bed, &gate, 1, &["mail"]).await;
    gate.started(1).await;
    let JobStatus::Waiting { since, ahead } = bed.jobs.status(&ids[2]).await.unwrap() else {
        panic!("one slot runs one job");
    };
    assert_eq!(ahead, Some(1), "b comes before it, a runs");
    assert!(since.elapsed().unwrap_or_default() < LONG);
    let running = eventually(LONG, async || {
        match bed.jobs.status(&ids[0]).await.unwrap() {
            JobStatus::Running {
                worker: Some(worker),
                attempt,
                since,
                lease,
            } => Ok((worker, attempt, since, lease)),
            other => Err(other),
        }
    })
    .await;
    let workers = bed.jobs.workers().await.unwrap();
    assert_eq!(running.0, workers[0].record.worker_id);
    assert_eq!((running.1, running.2.is_some()), (Some(1), true));
    assert_eq!(running.3, bed.server.settings().queues.ack_wait_of("mail"));
    gate.open(3);
    for id in &ids {
        bed.jobs.results().wait(id, LONG).await.unwrap();
        assert_eq!(word(&bed, id).await, "completed");
    }
    let info = bed.jobs.job(&ids[1]).await.unwrap();
    assert_eq!((info.kind.as_deref(), info.attempts), (Some("gated"), 1));
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_delayed_job_and_a_retry_are_told_apart_and_a_dead_one_can_be_requeued() {
    let bed = Bed::new().await;
    let due = SystemTime::now() + Duration::from_secs(3600);
    let job = ECHO.job(&json!(1)).unwrap().id(job_id("later")).at(due);
    bed.jobs.enqueue(job).await.unwrap();
    let later = bed.jobs.status(&job_id("later")).await.unwrap();
    let JobStatus::Scheduled {
        due: Some(seen),
        retry: 0,
        retries: 0,
    } = later
    else {
        panic!("{later:?}");
    };
    assert!(seen.duration_since(due).unwrap_or_default() < Duration::from_millis(2));
    assert_eq!(later.word(), "scheduled");

    let worker = crate::dead::broken_worker(&bed, &["mail"]).await;
    let policy = RetryPolicy::fixed(3, Duration::from_secs(3600));
    let job = ECHO
        .job(&json!(1))
        .unwrap()
        .id(job_id("retried"))
        .retry(policy);
    bed.jobs.enqueue(job.queue("mail").unwrap()).await.unwrap();
    let retried = eventually(LONG, async || {
        match bed.jobs.status(&job_id("retried")).await.unwrap() {
            JobStatus::Scheduled { retry, retries, .. } => Ok((retry, retries)),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(retried, (1, 3));
    assert_eq!(word(&bed, &job_id("retried")).await, "retry");

    let job = ECHO.job(&json!(1)).unwrap().id(job_id("dead"));
    bed.jobs.enqueue(job.queue("mail").unwrap()).await.unwrap();
    let dead = crate::dead::letter(&bed, &job_id("dead")).await;
    worker.stop(LONG).await;
    let status = bed.jobs.status(&dead.id).await.unwrap();
    let JobStatus::Ended {
        outcome: Some(outcome),
        has_dead_letter: true,
    } = &status
    else {
        panic!("{status:?}");
    };
    assert_eq!((outcome.status, status.word()), (Status::Failed, "failed"));
    bed.jobs.dead_letters().requeue(&dead.id).await.unwrap();
    // Its failed outcome is still there, but the message says that it runs again.
    assert_eq!(word(&bed, &dead.id).await, "pending");
    bed.jobs.results().delete(&dead.id).await.unwrap();
    assert_eq!(word(&bed, &dead.id).await, "pending");
}

/// AC-28, AC-31.
#[tokio::test]
async fn the_depth_of_queues_adds_up_while_jobs_come_and_go() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    const JOBS: u64 = 400;
    let slots = 8;
    let worker = gated_worker(&bed, &gate, slots, &["busy"]).await;
    let enqueued = async {
        for n in 0..JOBS {
            put(&bed, "busy", &format!("j-{n}")).await;
            gate.open(1);
        }
    };
    let watched = async {
        let mut last: Option<QueueInfo> = None;
        loop {
            let now = bed.jobs.queue(&queue_name("busy")).await.unwrap();
            assert!(now.in_flight <= u64::from(slots) + 512, "{now:?}");
            if let Some(last) = last {
                assert!(now.delivered >= last.delivered, "{last:?} {now:?}");
                assert!(now.settled >= last.settled, "{last:?} {now:?}");
            }
            assert!(now.settled + now.in_flight + now.waiting <= JOBS, "{now:?}");
            if now.settled == JOBS {
                return now;
            }
            last = Some(now);
        }
    };
    let both = Box::pin(async { tokio::join!(watched, enqueued) });
    let (end, ()) = tokio::time::timeout(LONG, both).await.unwrap();
    assert_eq!((end.waiting, end.in_flight, end.delivered), (0, 0, JOBS));
    assert_eq!(
        (end.workers, end.slots, end.oldest_waiting),
        (1, slots, None)
    );
    worker.stop(LONG).await;
}

/// AC-31.
#[tokio::test]
async fn the_depth_of_each_queue_is_what_lies_in_it() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate, 2, &["served"]).await;
    for n in 0..5 {
        put(&bed, "served", &format!("s-{n}")).await;
    }
    gate.started(2).await;
    for n in 0..3 {
        put(&bed, "nobody", &format!("n-{n}")).await;
        let later = ECHO
            .job(&json!(n))
            .unwrap()
            .delay(Duration::from_secs(3600));
        bed.jobs
            .enqueue(later.queue("nobody").unwrap())
            .await
            .unwrap();
    }
    let queues = eventually(LONG, async || {
        let queues = bed.jobs.queues().await.unwrap();
        let busy = queues.iter().any(|queue| queue.busy == 2);
        if busy { Ok(queues) } else { Err(queues) }
    })
    .await;
    let find = |name: &str| {
        queues
            .iter()
            .find(|queue| queue.name.as_str() == name)
            .unwrap()
    };
    let served = find("served");
    assert_eq!(
        (served.waiting, served.in_flight, served.scheduled),
        (3, 2, 0)
    );
    assert_eq!((served.workers, served.slots, served.busy), (1, 2, 2));
    let nobody = find("nobody");
    assert_eq!(
        (nobody.waiting, nobody.in_flight, nobody.scheduled),
        (3, 0, 3)
    );
    assert_eq!((nobody.workers, nobody.delivered), (0, 0));
    assert!(nobody.oldest_waiting.is_some() && served.oldest_waiting.is_some());
    gate.open(5);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn queues_come_page_by_page_in_the_order_of_their_names() {
    let bed = Bed::new().await;
    for queue in ["c", "a", "b"] {
        put(&bed, queue, queue).await;
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = bed.jobs.queue_page(after.as_ref(), 1).await.unwrap();
        names.extend(page.queues.into_iter().map(|queue| queue.name.to_string()));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b", "c", "naq_default_queue"]);
}

#[tokio::test]
async fn waiting_jobs_are_purged_and_running_ones_left_alone() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate, 2, &["mail"]).await;
    for n in 0..30 {
        put(&bed, "mail", &format!("m-{n}")).await;
        put(&bed, "other", &format!("o-{n}")).await;
    }
    gate.started(2).await;
    let mail = queue_name("mail");
    let dry = PurgePlan {
        is_dry_run: true,
        ..PurgePlan::default()
    };
    assert_eq!(bed.jobs.purge(&mail, dry).await.unwrap(), 28);
    assert_eq!(bed.waiting().await, 60, "a dry run removes nothing");
    assert_eq!(
        bed.jobs.purge(&mail, PurgePlan::default()).await.unwrap(),
        28
    );
    assert_eq!(
        bed.jobs.purge(&mail, PurgePlan::default()).await.unwrap(),
        0
    );
    assert_eq!(
        bed.jobs
            .purge(&queue_name("other"), PurgePlan::default())
            .await
            .unwrap(),
        30
    );
    gate.open(2);
    for id in ["m-0", "m-1"] {
        bed.jobs.results().wait(&job_id(id), LONG).await.unwrap();
    }
    assert_eq!(gate.ever(), 2, "none of the purged ones ran");
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn one_job_is_removed_unless_a_worker_has_it() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate, 1, &["mail"]).await;
    for id in ["runs", "waits"] {
        put(&bed, "mail", id).await;
    }
    let later = ECHO.job(&json!(1)).unwrap().id(job_id("later"));
    let later = later.delay(Duration::from_secs(3600));
    bed.jobs.enqueue(later).await.unwrap();
    gate.started(1).await;
    let error = bed.jobs.delete_job(&job_id("runs")).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::Conflict);
    for id in ["waits", "later"].map(job_id) {
        assert!(bed.jobs.delete_job(&id).await.unwrap());
        assert!(!bed.jobs.delete_job(&id).await.unwrap());
        assert_eq!(word(&bed, &id).await, "unknown");
    }
    gate.open(1);
    bed.jobs
        .results()
        .wait(&job_id("runs"), LONG)
        .await
        .unwrap();
    assert_eq!(gate.ever(), 1);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn jobs_that_have_not_ended_are_listed_by_queue_and_state_page_by_page() {
    let bed = Bed::new().await;
    for n in 0..25 {
        put(
            &bed,
            if n % 5 == 0 { "few" } else { "many" },
            &format!("j-{n:02}"),
        )
        .await;
    }
    let later = ECHO.job(&json!(1)).unwrap().id(job_id("later"));
    let later = later
        .delay(Duration::from_secs(3600))
        .queue("many")
        .unwrap();
    bed.jobs.enqueue(later).await.unwrap();
    let many = queue_name("many");
    let (mut ids, mut from) = (Vec::new(), 0);
    loop {
        let page = bed
            .jobs
            .pending_jobs(PendingState::Queued, Some(&many), from, 7)
            .await;
        let page = page.unwrap();
        assert!(page.jobs.len() <= 7);
        ids.extend(page.jobs.into_iter().map(|job| job.id.to_string()));
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    let expected: Vec<String> = (0..25)
        .filter(|n| n % 5 != 0)
        .map(|n| format!("j-{n:02}"))
        .collect();
    assert_eq!(ids, expected);
    let scheduled = bed
        .jobs
        .pending_jobs(PendingState::Scheduled, None, 0, 10)
        .await
        .unwrap();
    assert_eq!(scheduled.jobs.len(), 1);
    assert!(scheduled.jobs[0].due.is_some());
    let parked = bed
        .jobs
        .pending_jobs(PendingState::Parked, None, 0, 10)
        .await
        .unwrap();
    assert!(parked.jobs.is_empty() && parked.next.is_none());
    let worker = bed
        .jobs
        .worker()
        .handle(GATED, echo)
        .queue("many")
        .start()
        .await
        .unwrap();
    for id in &ids {
        bed.jobs.results().wait(&job_id(id), LONG).await.unwrap();
    }
    worker.stop(LONG).await;
}

/// AC-28: what a monitor of one's own asks for: depth, in flight, workers, the share of failures, by queue and over time.
#[tokio::test]
async fn a_monitor_of_ones_own_sees_depth_in_flight_workers_and_the_share_of_failures() {
    let bed = Bed::with(|s| s.events.flush_interval = Duration::from_millis(50)).await;
    let gate = Gate::new();
    let at_gate = gate.clone();
    let handler = move |_: JobContext, value: Value| {
        let gate = at_gate.clone();
        async move {
            gate.pass().await;
            match value == "bad" {
                true => Err(JobError::message("told to fail")),
                false => Ok(value),
            }
        }
    };
    let worker = bed.jobs.worker().queue("mail").concurrency(1);
    let worker = worker.handle(GATED, handler).start().await.unwrap();
    for id in ["a", "b", "c", "bad", "d"] {
        put(&bed, "mail", id).await;
    }
    gate.started(1).await;
    let mail = bed.jobs.queue(&queue_name("mail")).await.unwrap();
    assert_eq!((mail.waiting, mail.in_flight, mail.slots), (4, 1, 1));
    let shown = eventually(LONG, async || {
        let workers = bed.jobs.workers().await.unwrap();
        let busy = workers.into_iter().find(|w| w.record.running.len() == 1);
        busy.ok_or("the worker does not show its job yet")
    })
    .await;
    assert_eq!(shown.record.concurrency, 1);
    gate.open(5);
    let events = bed.jobs.events();
    let row = eventually(LONG, async || {
        let rows = events.stats(2, &[StatsBy::Queue]).await.unwrap().rows;
        let mut rows = rows.into_iter();
        let row = rows.find(|row| row.queue.as_deref() == Some("mail"));
        let row = row.ok_or("nothing is counted yet".to_owned())?;
        match row.count(EventType::Completed) + row.count(EventType::Failed) {
            5 => Ok(row),
            ended => Err(format!("{ended} have ended")),
        }
    })
    .await;
    assert_eq!(row.failure_rate(), Some(0.2));
    assert!(row.mean_duration().is_some());
    // The history: the same by the hour.
    let hours = events.stats(2, &[StatsBy::Hour]).await.unwrap().rows;
    let failed: u64 = hours.iter().map(|row| row.count(EventType::Failed)).sum();
    assert_eq!(failed, 1, "{hours:?}");
    eventually(LONG, async || {
        let mail = bed.jobs.queue(&queue_name("mail")).await.unwrap();
        let seen = (mail.waiting, mail.in_flight, mail.dead);
        (seen == (0, 0, 1)).then_some(()).ok_or(seen)
    })
    .await;
    worker.stop(LONG).await;
}

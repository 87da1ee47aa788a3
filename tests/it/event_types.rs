//! What workflows, pauses, limits and lost leases tell.

use naq_jobs::{
    Event, EventFilter, EventType, JobContext, JobError, Kind, NodeState, Priority, RunningWorker,
    Workflow,
};
use naq_testing::eventually;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::events::{quick, types, until};
use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::setup::{Bed, ECHO, Gate, LONG, Ledger, echo, job_id};
use crate::workflows::{becomes, step, value, worker};

/// Stands before a gate.
const GATED: Kind<Value, Value> = Kind::new("gated").queue("mail");

/// A worker whose jobs stand before the gate.
async fn gated(bed: &Bed, gate: &Gate) -> RunningWorker {
    let gate = gate.clone();
    let handler = move |_: JobContext, value: Value| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Ok::<_, JobError>(value)
        }
    };
    let worker = bed.jobs.worker().queue("mail").handle(GATED, handler);
    worker.start().await.unwrap()
}

/// All events of a type that are there by now.
async fn told(bed: &Bed, event_type: EventType) -> Vec<Event> {
    let events = bed.jobs.events();
    assert!(events.flush(LONG).await);
    let filter = EventFilter::new().types([event_type]);
    let replay = events.replay(std::time::SystemTime::UNIX_EPOCH, filter);
    replay.await.unwrap().collect(usize::MAX).await.unwrap()
}

/// As [`told`], once there are so many.
async fn told_times(bed: &Bed, event_type: EventType, count: usize) -> Vec<Event> {
    eventually(LONG, async || {
        let told = told(bed, event_type).await;
        if told.len() == count {
            Ok(told)
        } else {
            Err(told)
        }
    })
    .await
}

fn ids(events: &[Event]) -> Vec<&str> {
    let mut ids: Vec<_> = events.iter().filter_map(Event::job_id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_workflow_tells_its_life_and_each_job_that_it_enqueues() {
    let (bed, ledger) = (Bed::with(quick).await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let mut live = bed.jobs.events().live(EventFilter::new()).await.unwrap();
    let flow = Workflow::new("told")
        .node("first", value(1))
        .node("next", value(2))
        .after(["first"])
        .node("never", value(3))
        .after_failure(["first"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    flow.wait(LONG).await.unwrap();
    let told = until(&mut live, EventType::WorkflowCompleted).await;
    let of = |wanted: EventType| told.iter().filter(move |e| e.event_type == wanted);
    let node = |number: u32| format!("{}-{number}", flow.id());
    assert_eq!(of(EventType::WorkflowStarted).count(), 1);
    let advanced: Vec<_> = of(EventType::WorkflowAdvanced).collect();
    // Two ends, of which the second may have come with its own turn or the last.
    assert!((1..=2).contains(&advanced.len()), "{told:?}");
    for event in advanced {
        assert_eq!(event.job_id(), Some(flow.id().as_str()));
        assert_eq!(event.body.details["name"], "told");
    }
    let enqueued: Vec<_> = of(EventType::Enqueued).cloned().collect();
    assert_eq!(ids(&enqueued), [node(0), node(1)]);
    for event in &enqueued {
        assert_eq!(event.kind.as_deref(), Some("echo"));
        assert_eq!(event.queue.as_deref(), Some("naq_default_queue"));
    }
    let done = of(EventType::WorkflowCompleted).next().unwrap();
    assert_eq!(done.body.details["state"], "completed");
    let history = bed.jobs.events().history(&job_id(&node(1))).await.unwrap();
    let life = [
        EventType::Enqueued,
        EventType::Started,
        EventType::Completed,
    ];
    assert_eq!(types(&history.events), life);
    drop(running);
}

#[tokio::test]
async fn a_workflow_that_failed_or_was_cancelled_says_so() {
    let (bed, ledger) = (Bed::with(quick).await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let mut live = bed.jobs.events().live(EventFilter::new()).await.unwrap();
    let failing = Workflow::new("fails").node("bad", step(true));
    let failing = bed.jobs.submit(failing).await.unwrap();
    let told = until(&mut live, EventType::WorkflowFailed).await;
    assert_eq!(
        told.last().unwrap().job_id(),
        Some(failing.id().as_str()),
        "{told:?}"
    );
    let stopped = Workflow::new("stopped")
        .node("waits", step(false).queue("nobody").unwrap())
        .node("later", step(false).delay(LONG));
    let stopped = bed.jobs.submit(stopped).await.unwrap();
    assert!(stopped.cancel("not needed").await.unwrap());
    let told = until(&mut live, EventType::WorkflowCancelled).await;
    let types = types(&told);
    for (wanted, count) in [
        (EventType::Enqueued, 1),
        (EventType::Scheduled, 1),
        (EventType::WorkflowCancelled, 1),
    ] {
        let found = types.iter().filter(|found| **found == wanted).count();
        assert_eq!(found, count, "{wanted} {told:?}");
    }
    // Groups of one flush are in no order.
    let cancelled = told_times(&bed, EventType::Cancelled, 2).await;
    assert!(
        cancelled
            .iter()
            .all(|event| event.body.message.as_deref() == Some("not needed")),
        "{cancelled:?}"
    );
    becomes(&stopped, "later", NodeState::Cancelled).await;
    drop(running);
}

#[tokio::test]
async fn pauses_are_told_and_jobs_that_are_parked_by_them() {
    let bed = Bed::with(quick).await;
    let controls = bed.jobs.controls();
    let (queue, kind) = ("mail".parse().unwrap(), "echo".parse().unwrap());
    let running = bed.jobs.worker().queue("mail").handle(ECHO, echo);
    let running = running.start().await.unwrap();
    controls.pause_queue(&queue, Some("moved")).await.unwrap();
    controls.resume_queue(&queue).await.unwrap();
    controls.pause_kind(&kind, None).await.unwrap();
    let job = ECHO.job(&json!(1)).unwrap().queue("mail").unwrap();
    let job = bed.jobs.enqueue(job).await.unwrap();
    let parked = told_times(&bed, EventType::Parked, 1).await;
    assert_eq!(parked[0].job_id(), Some(job.id().as_str()));
    assert_eq!(parked[0].kind.as_deref(), Some("echo"));
    assert_eq!(parked[0].queue.as_deref(), Some("mail"));
    controls.resume_kind(&kind).await.unwrap();
    job.result(LONG).await.unwrap();
    for event_type in [EventType::Paused, EventType::Resumed] {
        let mut told = told_times(&bed, event_type, 2).await;
        told.sort_by_key(|event| event.queue.is_none());
        assert_eq!(told[0].queue.as_deref(), Some("mail"), "{told:?}");
        assert_eq!(told[1].kind.as_deref(), Some("echo"), "{told:?}");
    }
    assert_eq!(told(&bed, EventType::Limited).await, []);
    running.stop(LONG).await;
}

/// Each job that meets a limit says so once, however often it is put aside.
#[tokio::test]
async fn a_job_that_meets_a_limit_says_which_one_once() {
    let bed = Bed::with(quick).await;
    let controls = bed.jobs.controls();
    let mail = "mail".parse().unwrap();
    controls
        .limit_queue(&mail, |setting| setting.max_running_per_key = Some(1))
        .await
        .unwrap();
    let gate = Gate::new();
    let running = gated(&bed, &gate).await;
    let mut jobs = Vec::new();
    for number in 0..4 {
        let job = GATED.job(&json!(number)).unwrap();
        let job = job.limit_key("tenant-7").unwrap();
        jobs.push(bed.jobs.enqueue(job).await.unwrap());
    }
    gate.started(1).await;
    let limited = told_times(&bed, EventType::Limited, 3).await;
    for event in &limited {
        assert_eq!(event.body.reason.as_deref(), Some("per_key"));
        assert_eq!(event.body.details["key"], "tenant-7");
        assert_eq!(event.queue.as_deref(), Some("mail"));
        assert_eq!(event.kind.as_deref(), Some("gated"));
    }
    // They come back one after the other, and find the place taken or free.
    gate.open(4);
    for job in &jobs {
        job.result(LONG).await.unwrap();
    }
    let distinct = ids(&limited);
    assert!(distinct.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(told(&bed, EventType::Limited).await.len(), 3);
    assert_eq!(told(&bed, EventType::Parked).await, []);
    running.stop(LONG).await;
}

#[tokio::test]
async fn a_job_that_waits_in_line_for_its_queue_says_so_once() {
    let bed = Bed::with(quick).await;
    let controls = bed.jobs.controls();
    let mail = "mail".parse().unwrap();
    let limit = async |most| {
        let set = controls.limit_queue(&mail, |set| set.max_running = Some(most));
        set.await.unwrap();
    };
    limit(1).await;
    let gate = Gate::new();
    let running = gated(&bed, &gate).await;
    let mut jobs = Vec::new();
    for priority in [Priority::High, Priority::Low, Priority::Low] {
        let job = GATED.job(&json!(1)).unwrap().priority(priority);
        jobs.push(bed.jobs.enqueue(job).await.unwrap());
        gate.started(1).await;
    }
    let limited = told_times(&bed, EventType::Limited, 2).await;
    for event in &limited {
        assert_eq!(event.body.reason.as_deref(), Some("queue"));
        assert_eq!(event.queue.as_deref(), Some("mail"));
        assert_eq!(event.kind.as_deref(), Some("gated"));
    }
    // Each change lets them look again, and they find the place taken.
    for _ in 0..3 {
        limit(1).await;
    }
    gate.open(3);
    for job in &jobs {
        job.result(LONG).await.unwrap();
    }
    running.stop(LONG).await;
    assert_eq!(told(&bed, EventType::Limited).await.len(), 2);
}

#[tokio::test]
async fn a_job_that_is_beyond_a_rate_says_when_it_is_its_turn() {
    let bed = Bed::with(quick).await;
    let controls = bed.jobs.controls();
    let running = bed.jobs.worker().queue("slow").handle(ECHO, echo);
    let running = running.start().await.unwrap();
    let slow = "slow".parse().unwrap();
    controls
        .limit_queue(&slow, |setting| {
            setting.rate = Some("2/s".parse().unwrap());
        })
        .await
        .unwrap();
    let mut jobs = Vec::new();
    for number in 0..4 {
        let job = ECHO.job(&json!(number)).unwrap().queue("slow").unwrap();
        jobs.push(bed.jobs.enqueue(job).await.unwrap());
    }
    for job in &jobs {
        job.result(LONG).await.unwrap();
    }
    let by_rate = told(&bed, EventType::Limited).await;
    assert!((1..=3).contains(&by_rate.len()), "{by_rate:?}");
    assert!(ids(&by_rate).windows(2).all(|pair| pair[0] != pair[1]));
    for event in by_rate {
        assert_eq!(event.body.reason.as_deref(), Some("rate"));
        assert!(event.body.due_ms.unwrap() >= event.at_ms, "{event:?}");
    }
    assert_eq!(told(&bed, EventType::Parked).await, []);
    running.stop(LONG).await;
}

/// A process that was stopped finds that another one runs its job.
#[tokio::test]
async fn a_worker_that_lost_a_lease_says_so() {
    let (bed, ledger) = (Bed::with(quick).await, LedgerFile::new());
    let sleeper = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    let job = bed.jobs.enqueue(WORK.job(&3000).unwrap()).await.unwrap();
    ledger.wait_for(LONG, |entry| entry.what == "start").await;
    let first = bed.jobs.workers().await.unwrap();
    sleeper.signal(Signal::STOP);
    let owner = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    ledger
        .wait_for(LONG, |e| e.what == "start" && e.pid == owner.pid())
        .await;
    sleeper.signal(Signal::CONT);
    job.result(LONG).await.unwrap();
    let lost = told_times(&bed, EventType::LeaseLost, 1).await;
    assert_eq!(lost[0].job_id(), Some(job.id().as_str()));
    assert_eq!(
        lost[0].worker.as_deref(),
        Some(first[0].record.worker_id.as_str())
    );
    assert_eq!(lost[0].body.attempt, Some(1));
    assert!(sleeper.terminate().await && owner.terminate().await);
}

#[tokio::test]
async fn progress_names_queue_kind_and_worker() {
    let bed = Bed::with(quick).await;
    let steps = |context: JobContext, value: Value| async move {
        context.progress(3, 10).message("third page");
        Ok::<_, JobError>(value)
    };
    let running = bed.jobs.worker().queue("mail").handle(GATED, steps);
    let running = running.start().await.unwrap();
    let job = bed
        .jobs
        .enqueue(GATED.job(&json!(1)).unwrap())
        .await
        .unwrap();
    job.result(LONG).await.unwrap();
    let of_mail = EventFilter::new().queue("mail").kind("gated");
    let of_mail = of_mail.types([EventType::Progress]);
    assert!(bed.jobs.events().flush(LONG).await);
    let told = bed.jobs.events().recent(10, of_mail).await.unwrap();
    let [progress] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(progress.job_id(), Some(job.id().as_str()));
    assert_eq!(progress.worker.as_deref(), Some(running.id()));
    assert_eq!(progress.body.details["done"], 3);
    running.stop(LONG).await;
}

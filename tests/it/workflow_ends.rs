//! Workflows that are cancelled or out of time while jobs run, and nodes that are ended, removed or never run.

use std::time::{Duration, Instant};

use naq_jobs::{
    CancelledFrom, FailureReason, FlowReason, JobContext, JobError, JobsErrorKind, Kind, NodeState,
    PurgePlan, Reason, RunningWorker, Status, Workflow, WorkflowHandle, WorkflowState,
};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::process::{LedgerFile, WorkerProcess};
use crate::setup::{Bed, ECHO, LONG, Ledger, echo, job_id};
use crate::workflows::{STEP, becomes, state, states, step, value, worker};

/// Runs until it is cancelled, then says when and why.
const HOLD: Kind<(), ()> = Kind::new("hold");

/// A worker whose handlers hold, and what they say.
struct Holding {
    worker: RunningWorker,
    started: mpsc::UnboundedReceiver<String>,
    told: mpsc::UnboundedReceiver<(Instant, String)>,
}

impl Holding {
    async fn start(bed: &Bed) -> Self {
        let (starting, started) = mpsc::unbounded_channel();
        let (telling, told) = mpsc::unbounded_channel();
        let worker = bed
            .jobs
            .worker()
            .concurrency(8)
            .handle(STEP, async |_: JobContext, _: bool| Ok::<_, JobError>(()))
            .handle(HOLD, move |context: JobContext, (): ()| {
                let (starting, telling) = (starting.clone(), telling.clone());
                async move {
                    starting.send(context.id().to_string()).unwrap();
                    context.cancelled().cancelled().await;
                    let reason = context.cancel_reason().unwrap_or("?").to_owned();
                    telling.send((Instant::now(), reason)).unwrap();
                    Err::<(), _>(JobError::message("stopped"))
                }
            })
            .start()
            .await
            .unwrap();
        Self {
            worker,
            started,
            told,
        }
    }

    async fn started(&mut self, count: usize) {
        for _ in 0..count {
            let started = tokio::time::timeout(LONG, self.started.recv()).await;
            started.unwrap().unwrap();
        }
    }

    /// When and why the handlers heard of the cancel.
    async fn told(&mut self, count: usize) -> Vec<(Instant, String)> {
        let mut all = Vec::new();
        for _ in 0..count {
            let told = tokio::time::timeout(LONG, self.told.recv()).await;
            all.push(told.unwrap().unwrap());
        }
        all
    }
}

fn hold() -> naq_jobs::Job<()> {
    HOLD.job(&()).unwrap()
}

/// Two jobs that run, one of them two workflows deep, one that waits in a queue without a worker, and what comes after.
fn holding(name: &str) -> Workflow {
    let inner = Workflow::new("inner")
        .node("runs", hold())
        .node("after", step(false))
        .after(["runs"]);
    Workflow::new(name)
        .node("runs", hold())
        .sub("outer", Workflow::new("outer").sub("inner", inner))
        .node("queued", step(false).queue("nobody").unwrap())
        .node("alert", step(false))
        .after_failure(["runs"])
        .node("clean-up", step(false))
        .after_end(["outer"])
}

async fn all_are(flow: &WorkflowHandle, wanted: NodeState) {
    let states = states(flow).await;
    assert!(
        states.iter().all(|(_, state)| *state == wanted),
        "{states:?}"
    );
}

#[tokio::test]
async fn a_cancelled_workflow_stops_what_runs_of_it_and_of_its_sub_workflows_within_100_ms() {
    let bed = Bed::new().await;
    let other = bed.other(|_| {}).await;
    let mut holding_worker = Holding::start(&bed).await;
    let mut waits = Vec::new();
    for round in 0..5 {
        let flow = bed.jobs.submit(holding("cancelled")).await.unwrap();
        holding_worker.started(2).await;
        let begun = Instant::now();
        let reason = format!("round {round}");
        let cancelled = other.workflows().cancel(flow.id(), &reason).await;
        assert!(cancelled.unwrap());
        let told = holding_worker.told(2).await;
        let slack = bed.slack().await;
        for (heard, why) in told {
            assert_eq!(why, reason);
            waits.push((heard - begun).saturating_sub(slack));
        }
        // It is over when the call returns.
        let status = flow.status().await.unwrap();
        assert_eq!(status.state, WorkflowState::Cancelled);
        all_are(&flow, NodeState::Cancelled).await;
        let outcome = flow.wait(LONG).await.unwrap();
        assert_eq!(outcome.status, Status::Cancelled);
        assert_eq!(outcome.error.unwrap().message, reason);
        let counts = json!({"completed": 0, "failed": 0, "skipped": 0, "cancelled": 8});
        let told: Value = serde_json::from_str(outcome.result.unwrap().get()).unwrap();
        assert_eq!(told, counts);
        // Each of the three jobs that were enqueued has an outcome that says so.
        for node in ["runs", "outer/inner/runs", "queued"] {
            let error = flow.result::<()>(node, LONG).await.unwrap_err();
            assert_eq!(error.kind(), JobsErrorKind::JobCancelled, "{node}");
        }
        assert!(!flow.cancel("again").await.unwrap());
    }
    println!("from the call to the handlers: {waits:?}");
    assert!(
        *waits.iter().min().unwrap() < Duration::from_millis(100),
        "{waits:?}"
    );
    // Of each the state and the graph; the message that would have let a worker do the rest goes when it is due.
    for (what, count) in [
        ("state.*", 5),
        ("spec.*.*", 5),
        ("arm.*.*", 0),
        ("done.*.*", 0),
    ] {
        let filter = format!("naq.flow.{what}");
        let left = async || bed.subjects("naq_jobs", &filter).await.len();
        eventually_eq(LONG, count, left).await;
    }
    let report = holding_worker.worker.stop(LONG).await;
    assert_eq!((report.cancelled, report.failed), (10, 0));
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
}

/// Whoever cancels dies when the stop is stored: a worker does the rest.
#[tokio::test]
async fn a_cancel_whose_caller_died_is_finished_by_a_worker() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let mut holding_worker = Holding::start(&bed).await;
    let id = job_id("left-alone");
    let flow = bed.jobs.submit(holding("left").id(id)).await.unwrap();
    holding_worker.started(2).await;
    let die = [
        ("NAQ_DIE_AT", "flow-stop-stored"),
        ("IT_DO", "cancel-workflow:left-alone"),
    ];
    WorkerProcess::start(&bed.server.url(), &ledger, &die)
        .died()
        .await;
    assert_eq!(flow.status().await.unwrap().state, WorkflowState::Stopping);
    for (_, why) in holding_worker.told(2).await {
        assert_eq!(why, "cancelled by a test");
    }
    assert_eq!(flow.wait(LONG).await.unwrap().status, Status::Cancelled);
    all_are(&flow, NodeState::Cancelled).await;
    holding_worker.worker.stop(LONG).await;
}

#[tokio::test]
async fn a_deadline_stops_what_runs() {
    let bed = Bed::new().await;
    let mut holding_worker = Holding::start(&bed).await;
    let flow = holding("late").deadline(Duration::from_millis(500));
    let flow = bed.jobs.submit(flow).await.unwrap();
    holding_worker.started(2).await;
    for (_, why) in holding_worker.told(2).await {
        assert_eq!(why, "the deadline has passed");
    }
    let outcome = flow.wait(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Failed);
    assert_eq!(outcome.error.unwrap().reason, FailureReason::Deadline);
    all_are(&flow, NodeState::Cancelled).await;
    // It can be begun again; the deadline does not count any more.
    let again = bed.jobs.workflows().retry(flow.id(), &[]).await.unwrap();
    assert_eq!(again, 8);
    holding_worker.started(2).await;
    assert!(flow.cancel("enough").await.unwrap());
    assert_eq!(flow.status().await.unwrap().state, WorkflowState::Cancelled);
    holding_worker.worker.stop(LONG).await;
}

/// More than one turn cancels, and more than a batch has of jobs.
#[tokio::test]
async fn a_wide_workflow_is_cancelled_whole_without_a_worker() {
    let bed = Bed::new().await;
    let wide = Workflow::new("wide").group("many", (0..1200).map(|_| step(false)));
    let flow = bed.jobs.submit(wide).await.unwrap();
    assert!(flow.cancel("too many").await.unwrap());
    assert_eq!(flow.status().await.unwrap().state, WorkflowState::Cancelled);
    all_are(&flow, NodeState::Cancelled).await;
    assert_eq!(bed.subjects("naq_jobs", "naq.queue.>").await.len(), 0);
}

/// A graph in which the node `first` is on the queue `away`, which has no worker.
fn away(name: &str) -> Workflow {
    Workflow::new(name)
        .node("first", step(false).queue("away").unwrap())
        .node("next", step(false))
        .after(["first"])
        .node("alert", step(false))
        .after_failure(["first"])
        .node("clean-up", step(false))
        .after_end(["next"])
}

/// `first` is cancelled: what needs it is skipped, what waits for its failure or end runs, and the whole has failed.
async fn goes_on_without_its_first(flow: &WorkflowHandle) {
    let never = flow.result::<()>("next", LONG);
    let (outcome, never) = tokio::join!(flow.wait(LONG), never);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.status, Status::Failed);
    assert_eq!(outcome.error.unwrap().message, "failed: first");
    let never = never.unwrap_err();
    assert_eq!(never.kind(), JobsErrorKind::JobCancelled);
    assert!(
        never.to_string().contains("it never ran, it is skipped"),
        "{never}"
    );
    use NodeState::{Cancelled, Completed, Skipped};
    let ends: Vec<NodeState> = states(flow).await.into_iter().map(|(_, end)| end).collect();
    assert_eq!(ends, [Cancelled, Skipped, Completed, Completed]);
    let error = flow.result::<()>("first", LONG).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::JobCancelled);
}

#[tokio::test]
async fn a_node_whose_job_is_cancelled_purged_or_deleted_is_cancelled_and_its_workflow_goes_on() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let first = |flow: &WorkflowHandle| job_id(&format!("{}-0", flow.id()));

    let flow = bed.jobs.submit(away("cancelled")).await.unwrap();
    let report = bed.jobs.cancel(&first(&flow)).await.unwrap();
    assert_eq!(report.from, CancelledFrom::Waiting);
    goes_on_without_its_first(&flow).await;

    // Two of workflows and one that is none: all of them go.
    let flow = bed.jobs.submit(away("purged")).await.unwrap();
    let second = bed.jobs.submit(away("purged")).await.unwrap();
    let plain = step(false).queue("away").unwrap();
    bed.jobs.enqueue(plain).await.unwrap();
    let queue = "away".parse().unwrap();
    let removed = bed.jobs.purge(&queue, PurgePlan::default()).await.unwrap();
    assert_eq!(removed, 3);
    goes_on_without_its_first(&flow).await;
    goes_on_without_its_first(&second).await;

    let flow = bed.jobs.submit(away("deleted")).await.unwrap();
    assert!(bed.jobs.delete_job(&first(&flow)).await.unwrap());
    assert!(!bed.jobs.delete_job(&first(&flow)).await.unwrap());
    goes_on_without_its_first(&flow).await;
    drop(running);
}

/// With tools that know nothing of workflows: nobody notices, but who asks is told, and can end it.
#[tokio::test]
async fn a_node_whose_job_vanished_is_explained_and_can_be_cancelled() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let flow = bed.jobs.submit(away("vanished")).await.unwrap();
    let first = job_id(&format!("{}-0", flow.id()));
    let purged = json!({ "filter": "naq.queue.away.*" });
    let purged = bed.ask("STREAM.PURGE.naq_jobs", purged).await;
    assert_eq!(purged["purged"], 1, "{purged}");
    let explained = bed.jobs.explain(&first).await.unwrap();
    let [Reason::Flow(FlowReason::JobRemoved { workflow, node })] = &explained.reasons[..] else {
        panic!("{explained:?}");
    };
    assert_eq!(
        (workflow.as_str(), node.as_str()),
        (flow.id().as_str(), "first")
    );
    assert_eq!(explained.facts.status.word(), "removed");
    let report = bed.jobs.cancel(&first).reason("vanished").await.unwrap();
    let from = CancelledFrom::Node {
        workflow: flow.id().to_string(),
        node: "first".to_owned(),
    };
    assert_eq!(report.from, from);
    goes_on_without_its_first(&flow).await;

    // The whole, with one of its jobs gone.
    let flow = bed.jobs.submit(away("vanished")).await.unwrap();
    bed.ask(
        "STREAM.PURGE.naq_jobs",
        json!({ "filter": "naq.queue.away.*" }),
    )
    .await;
    assert!(flow.cancel("not needed").await.unwrap());
    all_are(&flow, NodeState::Cancelled).await;
    drop(running);
}

#[tokio::test]
async fn a_node_that_waits_is_cancelled_before_its_time_and_a_signal_is_not_waited_for() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let flow = Workflow::new("early")
        .node("first", step(false))
        .node("second", step(false))
        .after(["first"])
        .wait("signal")
        .node("alert", step(false))
        .after_failure(["second", "signal"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    let id = |node: u32| job_id(&format!("{}-{node}", flow.id()));
    for node in [1, 2] {
        let report = bed.jobs.cancel(&id(node)).await.unwrap();
        assert!(
            matches!(report.from, CancelledFrom::Node { .. }),
            "{report:?}"
        );
        let again = bed.jobs.cancel(&id(node)).await.unwrap();
        let status = Status::Cancelled;
        assert_eq!(again.from, CancelledFrom::Ended { status });
    }
    let late = flow.signal("signal", &1).await.unwrap_err();
    assert_eq!(late.kind(), JobsErrorKind::Conflict, "{late}");
    let running = worker(&bed.jobs, &ledger, 4).await;
    flow.wait(LONG).await.unwrap();
    assert_eq!(state(&flow, "second").await, NodeState::Cancelled);
    assert_eq!(state(&flow, "signal").await, NodeState::Cancelled);
    assert_eq!(state(&flow, "alert").await, NodeState::Completed);
    assert_eq!(ledger.ids(), [id(0).to_string(), id(3).to_string()]);
    // What has ended is no node to be cancelled, nor is what never was.
    let ended = bed.jobs.cancel(&id(3)).await.unwrap();
    assert!(!ended.is_cancelled());
    let never = bed.jobs.cancel(&id(9)).await.unwrap_err();
    assert_eq!(never.kind(), JobsErrorKind::NotFound);
    drop(running);
}

/// The dead letter of a node is no part of the workflow any more.
#[tokio::test]
async fn a_failed_node_stays_failed_when_its_dead_letter_is_deleted_or_requeued() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    for is_deleted in [true, false] {
        let flow = Workflow::new("dead")
            .node("bad", step(true))
            .node("next", step(false))
            .after(["bad"]);
        let flow = bed.jobs.submit(flow).await.unwrap();
        assert_eq!(flow.wait(LONG).await.unwrap().status, Status::Failed);
        let (letters, bad) = (bed.jobs.dead_letters(), job_id(&format!("{}-0", flow.id())));
        if is_deleted {
            assert!(letters.delete(&bad).await.unwrap());
        } else {
            letters.requeue(&bad).await.unwrap();
            let ran = || ledger.attempts(bad.as_str()).len();
            eventually_eq(LONG, 2, async || ran()).await;
        }
        eventually_eq(LONG, 0, async || {
            bed.subjects("naq_jobs", "naq.flow.done.>").await.len()
        })
        .await;
        assert_eq!(state(&flow, "bad").await, NodeState::Failed);
        assert_eq!(state(&flow, "next").await, NodeState::Skipped);
        assert_eq!(bed.jobs.workflows().retry(flow.id(), &[]).await.unwrap(), 2);
        assert_eq!(flow.wait(LONG).await.unwrap().status, Status::Failed);
    }
    drop(running);
}

#[tokio::test]
async fn a_dependent_that_can_never_run_has_an_outcome_that_says_why() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let bad = bed.jobs.enqueue(step(true)).await.unwrap();
    let later = step(false).queue("away").unwrap();
    let later = bed.jobs.enqueue(later).await.unwrap();
    let both = [bad.id().clone(), later.id().clone()];
    let after_bad = bed.jobs.enqueue_after(value(1), both).await.unwrap();
    let outcome = after_bad.outcome(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    assert_eq!(outcome.kind.as_deref(), Some("echo"));
    let why = outcome.error.unwrap().message;
    assert_eq!(why, format!("never ran: {} is failed", bad.id()));
    let error = after_bad.result(LONG).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::JobCancelled);
    assert_eq!(
        bed.jobs.status(after_bad.id()).await.unwrap().word(),
        "cancelled"
    );

    // While it waits, that is what is said of it; then the job that it waits for is cancelled.
    let waits = bed.jobs.enqueue_after(value(2), [later.id().clone()]);
    let waits = waits.await.unwrap();
    let info = bed.jobs.job(waits.id()).await.unwrap();
    assert_eq!(info.status.word(), "waiting");
    assert_eq!(info.kind.as_deref(), Some("echo"));
    let explained = bed.jobs.explain(waits.id()).await.unwrap();
    let [
        Reason::Flow(FlowReason::WaitsFor {
            parents, count: 1, ..
        }),
    ] = &explained.reasons[..]
    else {
        panic!("{explained:?}");
    };
    assert_eq!(parents[0].job_id.as_ref(), Some(later.id()));
    let own = bed.jobs.enqueue_after(value(3), [later.id().clone()]);
    let own = own.await.unwrap();
    assert!(bed.jobs.cancel(own.id()).await.unwrap().is_cancelled());
    let error = own.result(LONG).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::JobCancelled);
    bed.jobs.cancel(later.id()).await.unwrap();
    let outcome = waits.outcome(LONG).await.unwrap();
    let why = outcome.error.unwrap().message;
    assert_eq!(why, format!("never ran: {} is cancelled", later.id()));
    assert!(ledger.ids().iter().all(|ran| *ran != waits.id().as_str()));
    drop(running);
}

#[tokio::test]
async fn nodes_and_workflows_are_explained() {
    let bed = Bed::new().await;
    let flow = Workflow::new("told")
        .node("first", step(false))
        .wait("signal")
        .node("last", value(1))
        .after(["first", "signal"])
        .node("never", value(1))
        .after_failure(["first"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    let told = async |id: &str| {
        let explained = bed.jobs.explain(&job_id(id)).await.unwrap();
        explained.reasons[0].to_string()
    };
    let node = |number: u32| format!("{}-{number}", flow.id());
    assert!(told(&node(0)).await.contains("no worker serves the queue"));
    let text = told(&node(1)).await;
    assert!(text.ends_with("waits for a signal"), "{text}");
    let wanted = format!(
        "the node last of the workflow {} waits for first (running, {}), signal (running, {})",
        flow.id(),
        node(0),
        node(1)
    );
    assert_eq!(told(&node(2)).await, wanted);
    let whole = told(flow.id().as_str()).await;
    assert!(
        whole.starts_with("it is a workflow, running: 0 of 4 nodes have ended; now first ("),
        "{whole}"
    );
    assert_eq!(bed.jobs.status(flow.id()).await.unwrap().word(), "running");
    let running = bed
        .jobs
        .worker()
        .handle(STEP, async |_: JobContext, _: bool| Ok::<_, JobError>(()))
        .handle(ECHO, echo)
        .start()
        .await
        .unwrap();
    becomes(&flow, "never", NodeState::Skipped).await;
    let text = told(&node(3)).await;
    assert!(
        text.ends_with(&format!("never ran: first (completed, {})", node(0))),
        "{text}"
    );
    flow.signal("signal", &1).await.unwrap();
    flow.wait(LONG).await.unwrap();
    eventually(LONG, async || {
        let text = told(&node(2)).await;
        if text.starts_with("it completed") {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
    let missing = told(&node(77)).await;
    assert!(missing.starts_with("nothing is known of it"), "{missing}");
    running.stop(LONG).await;
}

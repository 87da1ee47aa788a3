//! What changes a workflow while it runs or after it: signals, limits of time, cancel, retry, more nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use naq_jobs::{
    JobContext, JobError, JobsErrorKind, Kind, NodeState, Status, Workflow, WorkflowState,
};
use naq_testing::{eventually, eventually_eq};
use serde_json::Value;

use crate::setup::{Bed, ECHO, LONG, Ledger, echo};
use crate::workflows::{STEP, SUM, becomes, states, step, total, value, worker};

#[tokio::test]
async fn a_signal_lets_a_waiting_node_go_on_early_late_and_only_once() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let flow = Workflow::new("approval")
        .node("ask", value(1))
        .wait("approved")
        .after(["ask"])
        .wait("counted")
        .after(["approved"])
        .wait_at_most("too-late", Duration::from_millis(300))
        .after(["ask"])
        .may_fail()
        .node("go", total(&["approved", "counted"]))
        .after(["approved", "counted"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    // Before its parents have ended.
    flow.signal("counted", &40).await.unwrap();
    becomes(&flow, "approved", NodeState::Running).await;
    becomes(&flow, "counted", NodeState::Signalled).await;
    becomes(&flow, "too-late", NodeState::Failed).await;
    let late = flow.signal("too-late", &1).await.unwrap_err();
    assert_eq!(late.kind(), JobsErrorKind::InvalidWorkflow);
    flow.signal("approved", &2).await.unwrap();
    let again = flow.signal("approved", &3).await.unwrap_err();
    assert_eq!(again.kind(), JobsErrorKind::Conflict, "{again}");
    let wrong = flow.signal("go", &3).await.unwrap_err();
    assert!(
        wrong.to_string().contains("it waits for no signal"),
        "{wrong}"
    );
    assert_eq!(flow.result::<i64>("go", LONG).await.unwrap(), 42);
    assert_eq!(flow.wait(LONG).await.unwrap().status, Status::Completed);
    drop(running);
}

#[tokio::test]
async fn a_cancelled_workflow_begins_nothing_more_and_says_so() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let flow = Workflow::new("stopped")
        .node("first", step(false))
        .wait("signal")
        .node("second", step(false))
        .after(["first"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    assert!(flow.cancel("not needed").await.unwrap());
    // The first job was enqueued, and there is no worker yet.
    assert_eq!(flow.status().await.unwrap().state, WorkflowState::Cancelled);
    let running = worker(&bed.jobs, &ledger, 4).await;
    let outcome = flow.wait(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    let error = outcome.into_result::<Value>().unwrap_err();
    assert!(error.to_string().contains("not needed"), "{error}");
    assert!(!flow.cancel("again").await.unwrap());
    let ends = states(&flow).await;
    assert!(ends.iter().all(|end| end.1 == NodeState::Cancelled));
    assert_eq!(ledger.ids().len(), 0);
    drop(running);
}

#[tokio::test]
async fn a_deadline_fails_what_is_not_over_in_time() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let flow = Workflow::new("limited")
        .deadline(Duration::from_millis(500))
        .wait("never")
        .node("next", step(false))
        .after(["never"]);
    let begun = Instant::now();
    let flow = bed.jobs.submit(flow).await.unwrap();
    let outcome = flow.wait(LONG).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert_eq!(outcome.status, Status::Failed);
    assert_eq!(
        outcome.error.unwrap().reason,
        naq_jobs::FailureReason::Deadline
    );
    assert_eq!(ledger.ids().len(), 0);
    drop(running);
}

#[tokio::test]
async fn a_retry_runs_a_node_and_what_comes_after_it_again() {
    let bed = Bed::new().await;
    let (ledger, broken) = (Ledger::default(), Arc::new(AtomicBool::new(true)));
    let (noted, is_broken) = (ledger.clone(), broken.clone());
    let running = bed
        .jobs
        .worker()
        .handle(STEP, move |context: JobContext, may_break: bool| {
            noted.note(&context);
            let fails = may_break && is_broken.load(Ordering::SeqCst);
            async move {
                if fails {
                    Err(JobError::message("broken"))
                } else {
                    Ok(())
                }
            }
        })
        .start()
        .await
        .unwrap();
    let flow = Workflow::new("repaired")
        .node("before", step(false))
        .node("breaks", step(true))
        .after(["before"])
        .node("after", step(false))
        .after(["breaks"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    assert_eq!(flow.wait(LONG).await.unwrap().status, Status::Failed);
    let workflows = bed.jobs.workflows();
    broken.store(false, Ordering::SeqCst);
    assert_eq!(workflows.retry(flow.id(), &[]).await.unwrap(), 2);
    let over = async || flow.status().await.unwrap().state;
    eventually_eq(LONG, WorkflowState::Completed, over).await;
    // The new outcome has taken the place of the old one.
    eventually_eq(LONG, Status::Completed, async || {
        flow.wait(LONG).await.unwrap().status
    })
    .await;
    assert_eq!(flow.wait(LONG).await.unwrap().attempt, 2);
    assert_eq!(ledger.ids().len(), 4, "{:?}", ledger.ids());
    assert_eq!(workflows.retry(flow.id(), &["before"]).await.unwrap(), 3);
    eventually(LONG, async || {
        if ledger.ids().len() == 7 {
            Ok(())
        } else {
            Err(ledger.ids())
        }
    })
    .await;
    eventually_eq(LONG, 3, async || flow.wait(LONG).await.unwrap().attempt).await;
    let nothing = workflows.retry(flow.id(), &[]).await.unwrap_err();
    assert!(
        nothing.to_string().contains("nothing of it has failed"),
        "{nothing}"
    );
    assert!(workflows.delete(flow.id()).await.unwrap());
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    drop(running);
}

/// A handler adds the pieces that it has found, twice, and a node that was there before waits for them.
#[tokio::test]
async fn a_handler_adds_nodes_once_and_a_later_node_waits_for_them() {
    const SPLIT: Kind<usize, usize> = Kind::new("split");
    let bed = Bed::new().await;
    let running = bed
        .jobs
        .worker()
        .handle(ECHO, echo)
        .handle(SUM, async |context: JobContext, _: Vec<String>| {
            let workflow = context
                .workflow()
                .ok_or_else(|| JobError::message("no workflow"))?;
            let parts = workflow.results::<i64>("parts").await?;
            Ok::<_, JobError>(parts.into_iter().sum())
        })
        .handle(SPLIT, async |context: JobContext, count: usize| {
            let workflow = context
                .workflow()
                .ok_or_else(|| JobError::message("no workflow"))?;
            let parts = || {
                let jobs = (0..count).map(|_| value(3));
                Workflow::new("more").group("parts", jobs).before(["join"])
            };
            let added = workflow.add(parts()).await?;
            assert_eq!(workflow.add(parts()).await?, 0);
            Ok::<_, JobError>(added)
        })
        .start()
        .await
        .unwrap();
    let flow = Workflow::new("map")
        .node("split", SPLIT.job(&50).unwrap())
        .node("join", total(&[]))
        .after(["split"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    assert_eq!(flow.result::<usize>("split", LONG).await.unwrap(), 51);
    assert_eq!(flow.wait(LONG).await.unwrap().status, Status::Completed);
    assert_eq!(flow.result::<i64>("join", LONG).await.unwrap(), 150);
    assert_eq!(flow.status().await.unwrap().nodes.len(), 53);
    drop(running);
}

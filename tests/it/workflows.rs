//! Workflows: what runs after what, and how it all ends.

use naq_jobs::{
    JobContext, JobError, JobHandle, Jobs, JobsErrorKind, Kind, NodeState, RunningWorker, Status,
    Workflow, WorkflowHandle, WorkflowState,
};
use naq_testing::eventually_eq;
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, LONG, Ledger, echo, job_id};

/// Fails if it is told so.
pub(crate) const STEP: Kind<bool, ()> = Kind::new("step");

/// Adds up the results of the nodes that it is told.
pub(crate) const SUM: Kind<Vec<String>, i64> = Kind::new("sum");

async fn sum(context: JobContext, nodes: Vec<String>) -> Result<i64, JobError> {
    let workflow = context
        .workflow()
        .ok_or_else(|| JobError::message("no workflow"))?;
    let mut sum = 0;
    for node in nodes {
        sum += workflow.result::<i64>(&node).await?;
    }
    Ok(sum)
}

/// A worker for all kinds of these tests that notes what it ran.
pub(crate) async fn worker(jobs: &Jobs, ledger: &Ledger, concurrency: u32) -> RunningWorker {
    let (echoes, steps) = (ledger.clone(), ledger.clone());
    jobs.worker()
        .concurrency(concurrency)
        .handle(SUM, sum)
        .handle(ECHO, move |context: JobContext, value: Value| {
            echoes.note(&context);
            echo(context, value)
        })
        .handle(STEP, move |context: JobContext, fails: bool| {
            steps.note(&context);
            async move {
                if fails {
                    return Err(JobError::message("told to fail"));
                }
                Ok(())
            }
        })
        .start()
        .await
        .unwrap()
}

pub(crate) fn step(fails: bool) -> naq_jobs::Job<()> {
    STEP.job(&fails).unwrap()
}

pub(crate) fn value(of: i64) -> naq_jobs::Job<Value> {
    ECHO.job(&json!(of)).unwrap()
}

pub(crate) fn total(of: &[&str]) -> naq_jobs::Job<i64> {
    SUM.job(&of.iter().map(ToString::to_string).collect())
        .unwrap()
}

/// The state of each node, by name.
pub(crate) async fn states(flow: &WorkflowHandle) -> Vec<(String, NodeState)> {
    let status = flow.status().await.unwrap();
    status
        .nodes
        .into_iter()
        .map(|node| (node.name, node.state))
        .collect()
}

pub(crate) async fn state(flow: &WorkflowHandle, node: &str) -> NodeState {
    flow.status().await.unwrap().node(node).unwrap().state
}

/// Waits until a node is in this state.
pub(crate) async fn becomes(flow: &WorkflowHandle, node: &str, wanted: NodeState) {
    eventually_eq(LONG, wanted, async || state(flow, node).await).await;
}

/// AC-09: one after the other, side by side, joined; after jobs outside, ended or not, by id and by name.
#[tokio::test]
async fn jobs_run_after_what_they_depend_on_also_if_that_ended_long_ago() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 10).await;
    let old: JobHandle<Value> = bed.jobs.enqueue(value(5)).await.unwrap();
    old.result(LONG).await.unwrap();
    // Enqueued for a queue that has no worker yet.
    let later = bed
        .jobs
        .enqueue(value(6).queue("later").unwrap())
        .await
        .unwrap();
    let flow = Workflow::new("order")
        .existing("old", old.id().clone())
        .existing("later", later.id().clone())
        .chain([("a", value(1)), ("b", value(2))])
        .group("many", [value(10), value(20)])
        .after(["b", "old"])
        .node(
            "join",
            total(&["a", "b", "many.0", "many.1", "old", "later"]),
        )
        .after(["many", "later"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    becomes(&flow, "many", NodeState::Completed).await;
    // The ear for the job outside is there, and nothing else waits.
    let ears = async || ears(&bed).await;
    eventually_eq(LONG, 1, ears).await;
    assert_eq!(state(&flow, "join").await, NodeState::Waiting);
    let after = [old.id().clone(), later.id().clone()];
    let single = bed.jobs.enqueue_after(value(9), after).await.unwrap();
    let last = bed
        .jobs
        .worker()
        .queue("later")
        .handle(ECHO, echo)
        .start()
        .await
        .unwrap();
    let sum: i64 = flow.result("join", LONG).await.unwrap();
    assert_eq!(sum, 1 + 2 + 10 + 20 + 5 + 6);
    assert_eq!(flow.wait(LONG).await.unwrap().status, Status::Completed);
    assert_eq!(single.result(LONG).await.unwrap(), json!(9));
    eventually_eq(LONG, 0, ears).await;
    let id = |node: usize| format!("{}-{node}", flow.id());
    let order = ledger.ids();
    let at = |node| order.iter().position(|ran| *ran == id(node)).unwrap();
    assert!(at(2) < at(3) && at(3) < at(4) && at(3) < at(5), "{order:?}");
    drop((running, last));
}

/// AC-10: three extracts, a transformation each, validate, two loads, an index, a report, and the notification.
#[tokio::test]
async fn an_etl_of_twelve_jobs_runs_each_after_its_parents_with_their_results() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let flow = Workflow::new("etl")
        .group("extract", [value(1), value(2), value(3)])
        .node("t0", total(&["extract.0"]))
        .after(["extract.0"])
        .node("t1", total(&["extract.1"]))
        .after(["extract.1"])
        .node("t2", total(&["extract.2"]))
        .after(["extract.2"])
        .node("validate", total(&["t0", "t1", "t2"]))
        .after(["t0", "t1", "t2"])
        .node("load", total(&["validate"]))
        .after(["validate"])
        .node("archive", total(&["validate"]))
        .after(["validate"])
        .node("index", total(&["load"]))
        .after(["load"])
        .node("report", total(&["load", "archive"]))
        .after(["load", "archive"])
        .node("notify", total(&["report", "index"]))
        .after(["report", "index"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    let outcome = flow.wait(LONG).await.unwrap();
    let counts: Value = outcome.into_result().unwrap();
    assert_eq!(
        counts,
        json!({"completed": 13, "failed": 0, "skipped": 0, "cancelled": 0})
    );
    assert_eq!(flow.result::<i64>("notify", LONG).await.unwrap(), 18);
    let status = flow.status().await.unwrap();
    assert_eq!(status.state, WorkflowState::Completed);
    // No child has started before its parents had ended.
    let status = bed.jobs.workflows().with_times(status).await.unwrap();
    for node in &status.nodes {
        let Some(own) = &node.outcome else { continue };
        for (parent, _) in &node.needs {
            let parent = status.nodes[*parent].outcome.as_ref();
            assert!(
                parent.is_none_or(|parent| parent.finished_at_ms <= own.started_at_ms),
                "{}",
                node.name
            );
        }
    }
    drop(running);
}

/// AC-11: what depends on a failed job is skipped; alert, fallback and clean-up run; what may fail does not count.
#[tokio::test]
async fn a_failure_skips_what_needs_it_and_runs_what_waits_for_it() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 10).await;
    let flow = Workflow::new("failing")
        .node("good", step(false))
        .node("bad", step(true))
        .node("child", step(false))
        .after(["bad"])
        .node("grandchild", step(false))
        .after(["child", "good"])
        .node("alert", step(false))
        .after_failure(["bad"])
        .node("no-alert", step(false))
        .after_failure(["good"])
        .node("clean-up", step(false))
        .after_end(["grandchild", "alert"])
        .node("partial", step(false))
        .after(["good"]);
    let flow = bed.jobs.submit(flow).await.unwrap();
    let outcome = flow.wait(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Failed);
    assert_eq!(outcome.error.unwrap().message, "failed: bad");
    let ends: Vec<NodeState> = states(&flow)
        .await
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    use NodeState::{Completed, Failed, Skipped};
    let wanted = [
        Completed, Failed, Skipped, Skipped, Completed, Skipped, Completed, Completed,
    ];
    assert_eq!(ends, wanted);
    // Each job that ran has run once, each other one never.
    assert_eq!(ledger.ids().len(), 5);
    let excused = Workflow::new("excused")
        .node("bad", step(true))
        .may_fail()
        .node("last", step(false))
        .after_end(["bad"]);
    let excused = bed.jobs.submit(excused).await.unwrap();
    assert_eq!(excused.wait(LONG).await.unwrap().status, Status::Completed);
    drop(running);
}

/// AC-12: the dependency is enqueued behind 200 dependents on the same queue, for a worker with one slot.
#[tokio::test]
async fn two_hundred_dependents_do_not_starve_their_dependency() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let dependency = job_id("dependency");
    bed.jobs
        .enqueue(value(0).queue("parked").unwrap().id(dependency.clone()))
        .await
        .unwrap();
    let mut flow = Workflow::new("crowd").existing("dependency", dependency);
    for number in 0..200 {
        flow = flow
            .node(format!("dependent-{number}"), value(number))
            .after(["dependency"]);
    }
    let flow = bed.jobs.submit(flow).await.unwrap();
    let running = worker(&bed.jobs, &ledger, 1).await;
    // The slot is free for others meanwhile, and nothing of the crowd is in the queue.
    let other = bed.jobs.enqueue(value(7)).await.unwrap();
    assert_eq!(other.result(LONG).await.unwrap(), json!(7));
    assert_eq!(bed.consumer("naq_default_queue").await["num_pending"], 0);
    let last = bed
        .jobs
        .worker()
        .queue("parked")
        .concurrency(1)
        .handle(ECHO, echo)
        .start()
        .await
        .unwrap();
    let outcome = flow.wait(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Completed);
    assert_eq!(ledger.ids().len(), 201);
    drop((running, last));
}

/// Each job outside is a consumer of the server's, which allows a thousand in a stream that says nothing.
#[tokio::test]
async fn a_workflow_waits_for_more_than_a_thousand_jobs_outside() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 20).await;
    let outside = (0..1010).map(|number| value(number).queue("later").unwrap());
    let outside = bed.jobs.enqueue_many(outside).await;
    let mut flow = Workflow::new("patient");
    let mut names = Vec::new();
    for (number, job) in outside.into_iter().enumerate() {
        names.push(format!("outside-{number}"));
        flow = flow.existing(&names[number], job.unwrap().id().clone());
    }
    flow = flow.node("last", value(7));
    for name in &names {
        flow = flow.after([name]);
    }
    let flow = bed.jobs.submit(flow).await.unwrap();
    let ears = async || ears(&bed).await;
    eventually_eq(LONG, 1010, ears).await;
    let other = bed.jobs.worker().queue("later").handle(ECHO, echo);
    let other = other.start().await.unwrap();
    assert_eq!(flow.wait(LONG).await.unwrap().status, Status::Completed);
    eventually_eq(LONG, 0, ears).await;
    drop((running, other));
}

/// Consumers that wait for a job outside.
async fn ears(bed: &Bed) -> usize {
    let jsz = bed.server.jsz().await;
    let results = jsz.stream("naq_results");
    results.map_or(0, |results| results.consumers.len())
}

/// Wider than a batch, and advanced by three workers at the same time.
#[tokio::test]
async fn three_workers_advance_a_wide_workflow_and_run_each_job_once() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let (second, third) = (bed.other(|_| {}).await, bed.other(|_| {}).await);
    let mut running = Vec::new();
    for jobs in [&bed.jobs, &second, &third] {
        running.push(worker(jobs, &ledger, 20).await);
    }
    let wide = Workflow::new("wide")
        .node("first", value(1))
        .group("many", (0..2000).map(value))
        .after(["first"])
        .node("join", value(2))
        .after(["many"]);
    let flow = bed.jobs.submit(wide).await.unwrap();
    let outcome = flow.wait(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Completed);
    let mut ids = ledger.ids();
    let (first, last) = (ids.first().cloned(), ids.last().cloned());
    assert_eq!(first.unwrap(), format!("{}-0", flow.id()));
    assert_eq!(last.unwrap(), format!("{}-2002", flow.id()));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2002);
    assert_eq!(ledger.ids().len(), 2002, "a job ran twice");
    // Nothing is left but what is kept of the workflow: its state and its graph.
    let left = async || bed.subjects("naq_jobs", "naq.>").await.len();
    eventually_eq(LONG, 2 + 1, left).await;
}

#[tokio::test]
async fn a_sub_workflow_ends_as_one_and_what_cannot_be_is_refused() {
    let (bed, ledger) = (Bed::new().await, Ledger::default());
    let running = worker(&bed.jobs, &ledger, 4).await;
    let order = |fails| Workflow::new("order").chain([("pay", step(false)), ("ship", step(fails))]);
    let both = Workflow::new("both")
        .node("begin", step(false))
        .sub("one", order(false))
        .after(["begin"])
        .sub("two", order(true))
        .after(["begin"])
        .node("thanks", step(false))
        .after(["one"])
        .node("sorry", step(false))
        .after_failure(["two"]);
    let id = job_id("both-1");
    let flow = bed.jobs.submit(both.id(id.clone())).await.unwrap();
    assert_eq!(
        flow.wait(LONG).await.unwrap().error.unwrap().message,
        "failed: two/ship"
    );
    for (node, wanted) in [
        ("one", NodeState::Completed),
        ("two", NodeState::Failed),
        ("thanks", NodeState::Completed),
        ("sorry", NodeState::Completed),
    ] {
        assert_eq!(state(&flow, node).await, wanted, "{node}");
    }
    let refused = async |workflow: Workflow| bed.jobs.submit(workflow).await.unwrap_err().kind();
    assert_eq!(
        refused(order(false).id(id)).await,
        JobsErrorKind::AlreadyExists
    );
    assert_eq!(
        refused(Workflow::new("empty")).await,
        JobsErrorKind::InvalidWorkflow
    );
    assert_eq!(
        refused(Workflow::new("a.b").gate("g")).await,
        JobsErrorKind::InvalidName
    );
    let circle = Workflow::new("circle")
        .gate("a")
        .after(["b"])
        .gate("b")
        .after(["a"]);
    assert_eq!(refused(circle).await, JobsErrorKind::InvalidWorkflow);
    let nobody = Workflow::new("nobody")
        .existing("x", job_id("never-seen"))
        .node("y", step(false))
        .after(["x"]);
    assert_eq!(refused(nobody).await, JobsErrorKind::NotFound);
    drop(running);
}

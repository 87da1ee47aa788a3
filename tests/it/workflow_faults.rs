//! Workflows whose workers and servers die.

use std::time::Duration;

use naq_jobs::{Jobs, NodeState, On, Workflow, WorkflowHandle, WorkflowState};
use naq_testing::{TestCluster, eventually, eventually_eq};
use rustix::process::Signal;

use crate::process::{LedgerFile, STEP, WorkerProcess};
use crate::setup::{Bed, LONG};

/// A random graph, and how each of its jobs ends, drawn from `seed`.
struct Plan {
    nodes: Vec<(Vec<(usize, On)>, bool)>,
}

/// Numbers that are the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most).unwrap()).unwrap()
    }
}

impl Plan {
    /// Edges go back at most 40 nodes, so that the graph is deep as well as wide.
    fn draw(nodes: usize, seed: u64) -> Self {
        let mut random = Random(seed.max(1));
        let mut draw = |index: usize| {
            let count = if index == 0 { 0 } else { random.below(4) };
            let needs = (0..count).map(|_| {
                let on = [
                    On::Success,
                    On::Success,
                    On::Success,
                    On::Always,
                    On::Failure,
                ][random.below(5)];
                (index - 1 - random.below(index.min(40)), on)
            });
            let needs = needs.collect();
            (needs, random.below(8) == 0)
        };
        Self {
            nodes: (0..nodes).map(&mut draw).collect(),
        }
    }

    fn workflow(&self) -> Workflow {
        let mut workflow = Workflow::new("random");
        for (index, (needs, fails)) in self.nodes.iter().enumerate() {
            workflow = workflow.node(index.to_string(), STEP.job(&(2, *fails)).unwrap());
            for (from, on) in needs {
                workflow = workflow.after_on(*on, [from.to_string()]);
            }
        }
        workflow
    }

    /// What each node must come to. Parents come before their children here.
    fn expected(&self) -> Vec<NodeState> {
        let mut states: Vec<NodeState> = Vec::new();
        for (needs, fails) in &self.nodes {
            let lets = |(from, on): &(usize, On)| match on {
                On::Success => states[*from] == NodeState::Completed,
                On::Failure => states[*from] == NodeState::Failed,
                On::Always => true,
            };
            states.push(match (needs.iter().all(lets), fails) {
                (false, _) => NodeState::Skipped,
                (true, true) => NodeState::Failed,
                (true, false) => NodeState::Completed,
            });
        }
        states
    }
}

async fn ended(flow: &WorkflowHandle) -> usize {
    let status = flow.status().await.unwrap();
    status
        .nodes
        .iter()
        .filter(|node| node.state.has_ended())
        .count()
}

/// Waits until at least `count` nodes have ended.
async fn reaches(flow: &WorkflowHandle, count: usize) {
    eventually(LONG, async || {
        let ended = ended(flow).await;
        if ended >= count { Ok(()) } else { Err(ended) }
    })
    .await;
}

async fn ends_as_the_model_says(flow: &WorkflowHandle, plan: &Plan) {
    let outcome = flow.wait(LONG * 2).await.unwrap();
    let status = flow.status().await.unwrap();
    let states: Vec<NodeState> = status.nodes.iter().map(|node| node.state).collect();
    assert_eq!(states, plan.expected());
    let wanted = if states.contains(&NodeState::Failed) {
        WorkflowState::Failed
    } else {
        WorkflowState::Completed
    };
    assert_eq!(status.state, wanted);
    assert_eq!(outcome.is_success(), wanted == WorkflowState::Completed);
}

/// A worker dies at `place`; the next one is there.
async fn heir_of_one_that_dies_at(place: &str, url: &str, ledger: &LedgerFile) -> WorkerProcess {
    let victim = WorkerProcess::start(url, ledger, &[("NAQ_DIE_AT", place)]);
    victim.died().await;
    WorkerProcess::start(url, ledger, &[])
}

/// The state and its graph, and nothing that was forgotten on the way.
async fn nothing_but_the_flow_is_left(bed: &Bed) {
    eventually_eq(LONG, 2, async || bed.waiting().await).await;
}

/// One of two workers is killed again and again, wherever it is.
#[tokio::test]
async fn a_random_graph_ends_as_the_model_says_while_workers_are_killed() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let plan = Plan::draw(1000, 20_251_122);
    let flow = bed.jobs.submit(plan.workflow()).await.unwrap();
    let url = bed.server.url();
    let steady = WorkerProcess::start(&url, &ledger, &[]);
    for quarter in 1..4 {
        let victim = WorkerProcess::start(&url, &ledger, &[]);
        reaches(&flow, quarter * 250).await;
        victim.kill().await;
    }
    ends_as_the_model_says(&flow, &plan).await;
    assert!(steady.terminate().await);
}

/// No other worker is there that could go on.
#[tokio::test]
async fn a_workflow_goes_on_after_its_only_worker_was_killed_at_any_moment() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let plan = Plan::draw(60, 7);
    let flow = bed.jobs.submit(plan.workflow()).await.unwrap();
    for count in [1, 12, 30] {
        let victim = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
        reaches(&flow, count).await;
        victim.kill().await;
    }
    let last = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    ends_as_the_model_says(&flow, &plan).await;
    assert!(last.terminate().await);
}

#[tokio::test]
async fn a_workflow_goes_on_after_a_killed_server() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let plan = Plan::draw(400, 99);
    let flow = bed.jobs.submit(plan.workflow()).await.unwrap();
    let worker = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    for count in [60, 200] {
        reaches(&flow, count).await;
        bed.server.kill().await.unwrap();
        bed.server.start_again().await.unwrap();
    }
    ends_as_the_model_says(&flow, &plan).await;
    assert!(worker.terminate().await);
}

/// A stopped process wakes up with ends in hand that others have handled meanwhile.
#[tokio::test]
async fn a_worker_that_was_stopped_for_a_while_changes_nothing_that_others_did() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let plan = Plan::draw(200, 5);
    let flow = bed.jobs.submit(plan.workflow()).await.unwrap();
    let sleeper = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    reaches(&flow, 20).await;
    sleeper.signal(Signal::STOP);
    let other = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    ends_as_the_model_says(&flow, &plan).await;
    sleeper.signal(Signal::CONT);
    assert!(sleeper.terminate().await);
    tokio::time::timeout(Duration::from_secs(60), other.terminate())
        .await
        .unwrap();
    let states: Vec<NodeState> = flow
        .status()
        .await
        .unwrap()
        .nodes
        .iter()
        .map(|node| node.state)
        .collect();
    assert_eq!(states, plan.expected());
}

/// The failure table of `docs/design/0009-workflows.md`: the worker dies between two steps, at the first node or where the
/// whole ends, and another one goes on.
#[tokio::test]
async fn a_workflow_ends_wherever_its_worker_dies() {
    for place in [
        "flow-job-ended",
        "flow-end-told",
        "flow-end-taken",
        "flow-turn-stored",
        "flow-outcome-recorded",
    ] {
        let (bed, ledger) = (Bed::new().await, LedgerFile::new());
        let step = || STEP.job(&(1, false)).unwrap();
        let flow = Workflow::new("dying")
            .node("first", step())
            .group("many", [step(), step()])
            .after(["first"])
            .node("last", step())
            .after(["many"]);
        let flow = bed.jobs.submit(flow).await.unwrap();
        let url = bed.server.url();
        let heir = heir_of_one_that_dies_at(place, &url, &ledger).await;
        assert!(flow.wait(LONG).await.unwrap().is_success(), "{place}");
        let status = flow.status().await.unwrap();
        assert_eq!(status.count(NodeState::Completed), 5, "{place}");
        nothing_but_the_flow_is_left(&bed).await;
        // Four jobs and the whole.
        let stored = bed.subjects("naq_results", "naq.result.*").await;
        assert_eq!(stored.len(), 5, "{place}: {stored:?}");
        assert!(heir.terminate().await);
    }
}

/// Three copies: the node that leads the jobs dies in the middle, and a worker before and after it.
#[tokio::test]
async fn a_random_graph_ends_as_the_model_says_over_the_loss_of_the_leader_and_of_workers() {
    let (cluster, ledger) = (TestCluster::start().await, LedgerFile::new());
    let jobs = Jobs::connect(cluster.settings()).await.unwrap();
    let settings = [("NAQ_REPLICAS", "3"), ("NAQ_REQUEST_TIMEOUT", "5s")];
    let urls = cluster.urls().join(",");
    let start = || WorkerProcess::start(&urls, &ledger, &settings);
    let plan = Plan::draw(150, 20_261_122);
    let flow = jobs.submit(plan.workflow()).await.unwrap();
    let (steady, victim) = (start(), start());
    reaches(&flow, 30).await;
    victim.kill().await;
    let victim = start();
    reaches(&flow, 60).await;
    let leader = crate::crash::leader_of(&jobs, &cluster).await;
    cluster.node(leader).kill().await.unwrap();
    // Once there is a leader again.
    let ended = eventually(LONG, async || match flow.status().await {
        Ok(status) => Ok(status.nodes.iter().filter(|n| n.state.has_ended()).count()),
        Err(error) => Err(error),
    })
    .await;
    reaches(&flow, (ended + 20).min(150)).await;
    victim.kill().await;
    ends_as_the_model_says(&flow, &plan).await;
    assert!(steady.terminate().await);
}

/// Retry from a node, and the worker dies at one of its ends or at that of the whole; another one goes on.
#[tokio::test]
async fn a_retry_ends_wherever_its_worker_dies() {
    for place in [
        "flow-job-ended",
        "flow-end-taken",
        "flow-turn-stored",
        "flow-outcome-recorded",
    ] {
        let (bed, ledger) = (Bed::new().await, LedgerFile::new());
        let step = |fails| STEP.job(&(1, fails)).unwrap();
        let flow = Workflow::new("again")
            .node("first", step(false))
            .node("bad", step(true))
            .after(["first"])
            .node("undo", step(false))
            .after_failure(["bad"]);
        let flow = bed.jobs.submit(flow).await.unwrap();
        let url = bed.server.url();
        let worker = WorkerProcess::start(&url, &ledger, &[]);
        assert!(!flow.wait(LONG).await.unwrap().is_success());
        assert!(worker.terminate().await);
        let workflows = bed.jobs.workflows();
        assert_eq!(workflows.retry(flow.id(), &["bad"]).await.unwrap(), 2);
        // It runs: that is no time for another retry.
        let early = workflows.retry(flow.id(), &[]).await.unwrap_err();
        assert!(early.to_string().contains("it is not over"), "{early}");
        let heir = heir_of_one_that_dies_at(place, &url, &ledger).await;
        // A busy machine may not answer in time; that is no failure.
        eventually(LONG, async || {
            let attempt = flow.wait(LONG).await.map(|outcome| outcome.attempt);
            let retries = flow.status().await.map(|status| status.retries);
            match (attempt, retries) {
                (Ok(2), Ok(1)) => Ok(()),
                other => Err(other),
            }
        })
        .await;
        let status = flow.status().await.unwrap();
        let ends: Vec<NodeState> = status.nodes.iter().map(|node| node.state).collect();
        use NodeState::{Completed, Failed};
        assert_eq!(ends, [Completed, Failed, Completed], "{place}");
        nothing_but_the_flow_is_left(&bed).await;
        // Three jobs of the first round, two of the second, and the whole.
        let stored = bed.subjects("naq_results", "naq.result.*").await;
        assert_eq!(stored.len(), 6, "{place}: {stored:?}");
        assert!(heir.terminate().await);
    }
}

/// The time is up, and the worker that hears of it dies when the stop is stored, or at the outcome.
#[tokio::test]
async fn a_deadline_is_kept_wherever_the_worker_dies_that_hears_of_it() {
    for place in ["flow-stopping", "flow-outcome-recorded"] {
        let (bed, ledger) = (Bed::new().await, LedgerFile::new());
        let flow = Workflow::new("late")
            .node("long", STEP.job(&(600_000, false)).unwrap())
            .node("next", STEP.job(&(1, false)).unwrap())
            .after(["long"])
            .deadline(Duration::from_millis(500));
        let flow = bed.jobs.submit(flow).await.unwrap();
        let url = bed.server.url();
        let heir = heir_of_one_that_dies_at(place, &url, &ledger).await;
        let outcome = flow.wait(LONG).await.unwrap();
        let error = outcome.error.unwrap();
        assert_eq!(error.reason, naq_jobs::FailureReason::Deadline, "{place}");
        let status = flow.status().await.unwrap();
        assert_eq!(status.state, WorkflowState::Failed);
        assert_eq!(status.count(NodeState::Cancelled), 2, "{place}");
        nothing_but_the_flow_is_left(&bed).await;
        assert!(heir.terminate().await);
    }
}

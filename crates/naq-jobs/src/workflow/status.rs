//! A workflow as others see it: the whole, each node, and the path that took longest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::graph::{Graph, On, Work, place};
use super::state::{NodeState, State, WorkflowState};
use crate::model::JobId;
use crate::wire::Outcome;

/// Where a workflow and each of its nodes is.
#[derive(Debug, Clone)]
pub struct WorkflowStatus {
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Where the whole is.
    pub state: WorkflowState,
    /// Its nodes, in the order in which they were added.
    pub nodes: Vec<NodeStatus>,
    /// How often it was begun again.
    pub retries: u32,
    /// When it was submitted, by the sender's clock.
    pub created_at: SystemTime,
    /// When it was over, by the worker's clock.
    pub ended_at: Option<SystemTime>,
    /// When it has to be over.
    pub deadline: Option<SystemTime>,
    /// Why it was stopped, if it was.
    pub stopped_because: Option<String>,
}

/// One node.
#[derive(Debug, Clone)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: NodeState,
    /// What it does.
    pub kind: NodeKind,
    /// Its parents by their place in [`WorkflowStatus::nodes`], and when each of them lets it run.
    pub needs: Vec<(usize, On)>,
    /// Its failure does not fail the workflow.
    pub may_fail: bool,
    /// Under this id its outcome is found; a gate has none.
    pub job_id: Option<JobId>,
    /// When it started, how long it took and why it failed: only after [`crate::Workflows::with_times`].
    pub outcome: Option<Outcome>,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeKind {
    /// A job of this kind, on this queue.
    Job {
        /// Which handler runs it.
        kind: String,
        /// Where it waits for a worker.
        queue: String,
    },
    /// It waits for a signal.
    Wait,
    /// It stands for its parents.
    Gate,
    /// A job outside.
    Existing,
}

impl WorkflowStatus {
    pub(super) fn new(id: &JobId, graph: &Graph, state: &State) -> Self {
        let nodes = (0..).zip(graph.nodes()).map(|(index, node)| NodeStatus {
            name: node.name.clone(),
            state: state.of(index).unwrap_or(NodeState::Waiting),
            kind: kind(&node.work),
            needs: node
                .needs
                .iter()
                .map(|(from, on)| (place(*from), *on))
                .collect(),
            may_fail: node.may_fail,
            job_id: own_id(id, state, index, &node.work),
            outcome: None,
        });
        Self {
            id: id.clone(),
            name: state.name.clone(),
            state: state.state,
            nodes: nodes.collect(),
            retries: state.round,
            created_at: time(state.created_ms),
            ended_at: state.ended_ms.map(time),
            deadline: state.deadline_ms.map(time),
            stopped_because: state.stop.as_ref().map(|stop| stop.reason.clone()),
        }
    }

    /// The node called `name`.
    pub fn node(&self, name: &str) -> Option<&NodeStatus> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Nodes in this state.
    pub fn count(&self, state: NodeState) -> usize {
        self.nodes.iter().filter(|node| node.state == state).count()
    }

    /// The path that took longest, by the times of its nodes: who wants the whole to be faster begins there. The nodes from the
    /// first to the last, and the time of all of them. Empty without [`crate::Workflows::with_times`].
    pub fn critical_path(&self) -> (Vec<&NodeStatus>, Duration) {
        let took = |node: &NodeStatus| {
            node.outcome
                .as_ref()
                .map_or(Duration::ZERO, Outcome::duration)
        };
        let mut best: Vec<Option<(Duration, Option<usize>)>> = vec![None; self.nodes.len()];
        for index in self.in_order() {
            let node = &self.nodes[index];
            let parents = node
                .needs
                .iter()
                .filter_map(|(from, _)| Some((best[*from]?.0, *from)));
            let before = parents.max();
            let sum = before.map_or(Duration::ZERO, |(sum, _)| sum) + took(node);
            best[index] = Some((sum, before.map(|(_, from)| from)));
        }
        let ends = best
            .iter()
            .enumerate()
            .filter_map(|(index, best)| Some((best.as_ref()?.0, index)));
        let Some((total, last)) = ends.max().filter(|(total, _)| !total.is_zero()) else {
            return (Vec::new(), Duration::ZERO);
        };
        let before = |index: &usize| best[*index].and_then(|(_, before)| before);
        let mut path: Vec<&NodeStatus> = std::iter::successors(Some(last), before)
            .map(|index| &self.nodes[index])
            .collect();
        path.reverse();
        (path, total)
    }

    /// The places of all nodes, each after its parents.
    pub fn in_order(&self) -> Vec<usize> {
        let mut missing: Vec<usize> = self.nodes.iter().map(|node| node.needs.len()).collect();
        let mut children = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for (from, _) in &node.needs {
                children[*from].push(index);
            }
        }
        let mut order: Vec<usize> = (0..missing.len())
            .filter(|index| missing[*index] == 0)
            .collect();
        let mut next = 0;
        while let Some(index) = order.get(next).copied() {
            next += 1;
            for child in &children[index] {
                missing[*child] -= 1;
                if missing[*child] == 0 {
                    order.push(*child);
                }
            }
        }
        order
    }
}

fn kind(work: &Work) -> NodeKind {
    match work {
        Work::Job(task) => NodeKind::Job {
            kind: task.kind(),
            queue: task.queue.clone(),
        },
        Work::Wait { .. } => NodeKind::Wait,
        Work::Gate => NodeKind::Gate,
        Work::Existing { .. } => NodeKind::Existing,
    }
}

/// Where the outcome of a node is found.
pub(super) fn own_id(id: &JobId, state: &State, index: u32, work: &Work) -> Option<JobId> {
    match work {
        Work::Gate => None,
        Work::Existing { id } => JobId::new(id.as_str()).ok(),
        Work::Job(_) | Work::Wait { .. } => state.job_id(id, index),
    }
}

fn time(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

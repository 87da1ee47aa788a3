//! What ends lead to: which nodes run next, which never will, and when the whole is over. Pure.
//!
//! ```text
//!   WAITING ── each need is met ──────────► RUNNING ── its end ──► COMPLETED | FAILED | CANCELLED
//!      │ ├──── one can never be met ──────► SKIPPED
//!      │ └──── the workflow is stopped ───► CANCELLED
//!      └ signal ► SIGNALLED ── needs met ─► COMPLETED
//! ```
//!
//! Each turn looks at all nodes, so nothing depends on what an earlier turn has counted or has left over. A turn may be decided
//! twice, and its jobs stored before it is: so an end may come before the node is known to run. It is kept until it counts.

use super::graph::{Graph, Node, On, Work};
use super::state::{NodeState, State, Stop, WorkflowState};
use crate::wire::Status;

/// Something that a workflow is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// A node has ended.
    Node {
        node: u32,
        round: u32,
        status: Status,
    },
    /// The time of the whole is up.
    Deadline,
}

/// What a turn leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Nodes that begin: they are running from now on.
    pub(super) begin: Vec<u32>,
    /// More nodes could begin; another turn is needed.
    pub(super) has_more: bool,
    /// The state is another one.
    pub(super) is_changed: bool,
}

/// Applies `ends`, in any order and any number of times, and lets at most `most` nodes begin.
pub(super) fn advance(graph: &Graph, state: &mut State, ends: &[End], most: usize) -> Turn {
    let mut turn = Turn {
        begin: Vec::new(),
        has_more: false,
        is_changed: false,
    };
    if state.state.has_ended() {
        return turn;
    }
    for end in ends {
        turn.is_changed |= apply(graph, state, end);
    }
    for index in graph.order() {
        let (Some(node), Some(now)) = (graph.node(*index), state.of(*index)) else {
            continue;
        };
        let Some(mut next) = next(node, now, state) else {
            continue;
        };
        if let Some(status) = state.early.remove(index) {
            next = ended(status);
        }
        if next == NodeState::Running {
            if turn.begin.len() >= most {
                turn.has_more = true;
                continue;
            }
            turn.begin.push(*index);
        }
        state.set(*index, next);
        turn.is_changed = true;
    }
    let is_open = |state: &NodeState| !state.has_ended();
    if !state.nodes.0.iter().any(is_open) {
        state.state = verdict(graph, state);
        turn.is_changed = true;
    }
    turn
}

/// Notes an end; whether it changes anything.
fn apply(graph: &Graph, state: &mut State, end: &End) -> bool {
    let (node, round, status) = match end {
        End::Deadline if state.stop.is_none() => {
            state.stop = Some(Stop {
                is_deadline: true,
                reason: "the deadline has passed".to_owned(),
            });
            state.state = WorkflowState::Stopping;
            return true;
        }
        End::Deadline => return false,
        End::Node {
            node,
            round,
            status,
        } => (*node, *round, *status),
    };
    let Some(of) = graph.node(node) else {
        return false;
    };
    let is_outside = matches!(of.work, Work::Existing { .. });
    if round != state.round_of(node) && !is_outside {
        return false;
    }
    match (state.of(node), &of.work) {
        (Some(NodeState::Running), _) => state.set(node, ended(status)),
        (Some(NodeState::Waiting), Work::Wait { .. }) if status == Status::Completed => {
            state.set(node, NodeState::Signalled);
        }
        (Some(NodeState::Waiting), Work::Job(_)) => {
            return state.early.insert(node, status).is_none();
        }
        _ => return false,
    }
    true
}

/// What a node is whose job has ended so.
fn ended(status: Status) -> NodeState {
    match status {
        Status::Completed => NodeState::Completed,
        Status::Failed => NodeState::Failed,
        Status::Cancelled => NodeState::Cancelled,
    }
}

/// Where a node goes from here, if anywhere.
fn next(node: &Node, now: NodeState, state: &State) -> Option<NodeState> {
    let is_stopped = state.stop.is_some();
    match now {
        NodeState::Running => {
            let has_job = matches!(node.work, Work::Job(_));
            (is_stopped && !has_job).then_some(NodeState::Cancelled)
        }
        NodeState::Waiting | NodeState::Signalled if is_stopped => Some(NodeState::Cancelled),
        NodeState::Waiting | NodeState::Signalled => match (&node.work, needs(node, state)) {
            (Work::Gate, _) => gate(node, state),
            (_, Needs::Open) => None,
            (_, Needs::Broken) => Some(NodeState::Skipped),
            (_, Needs::Met) if now == NodeState::Signalled => Some(NodeState::Completed),
            (_, Needs::Met) => Some(NodeState::Running),
        },
        _ => None,
    }
}

/// What is known of the needs of a node.
enum Needs {
    Open,
    Met,
    Broken,
}

fn needs(node: &Node, state: &State) -> Needs {
    let mut is_open = false;
    for (from, on) in &node.needs {
        let parent = state.of(*from).filter(|parent| parent.has_ended());
        match need(parent, *on) {
            Needs::Open => is_open = true,
            Needs::Met => {}
            Needs::Broken => return Needs::Broken,
        }
    }
    if is_open { Needs::Open } else { Needs::Met }
}

/// What is known of one need; without a parent that has ended, nothing.
fn need(parent: Option<NodeState>, on: On) -> Needs {
    match (parent, on) {
        (None, _) => Needs::Open,
        (Some(_), On::Always)
        | (Some(NodeState::Completed), On::Success)
        | (Some(NodeState::Failed | NodeState::Cancelled), On::Failure) => Needs::Met,
        (Some(_), On::Success | On::Failure) => Needs::Broken,
    }
}

/// The parents that a waiting node waits for, or that have kept a skipped one from running.
pub(super) fn holds_up(node: &Node, now: NodeState, state: &State) -> impl Iterator<Item = u32> {
    let holds = move |(from, on): &&(u32, On)| {
        let parent = state.of(*from).filter(|parent| parent.has_ended());
        match now {
            NodeState::Waiting | NodeState::Signalled => parent.is_none(),
            NodeState::Skipped => matches!(need(parent, *on), Needs::Broken),
            _ => false,
        }
    };
    node.needs.iter().filter(holds).map(|(from, _)| *from)
}

/// The end of a gate, once all its parents have ended.
fn gate(node: &Node, state: &State) -> Option<NodeState> {
    let mut counts = node.needs.is_empty();
    let mut has_failed = false;
    for (from, on) in &node.needs {
        let parent = state.of(*from).filter(|parent| parent.has_ended())?;
        has_failed |= *on == On::Success && is_bad(parent);
        counts |= match on {
            On::Success => parent == NodeState::Completed,
            On::Failure => is_bad(parent),
            On::Always => parent != NodeState::Skipped,
        };
    }
    Some(match (has_failed, counts) {
        (true, _) => NodeState::Failed,
        (false, true) => NodeState::Completed,
        (false, false) => NodeState::Skipped,
    })
}

fn is_bad(end: NodeState) -> bool {
    matches!(end, NodeState::Failed | NodeState::Cancelled)
}

/// How the whole has ended.
fn verdict(graph: &Graph, state: &State) -> WorkflowState {
    if let Some(stop) = &state.stop {
        return if stop.is_deadline {
            WorkflowState::Failed
        } else {
            WorkflowState::Cancelled
        };
    }
    let mut all = graph.nodes().iter().zip(&state.nodes.0);
    if all.any(|(node, end)| is_bad(*end) && !node.may_fail) {
        WorkflowState::Failed
    } else {
        WorkflowState::Completed
    }
}

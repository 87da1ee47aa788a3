//! The graph of a workflow: nodes and edges, as they are stored, and their order.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::Priority;
use crate::{JobsError, JobsErrorKind};

/// When an edge lets its child run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// The parent has completed.
    Success,
    /// The parent has failed, or somebody has cancelled it.
    Failure,
    /// The parent has ended, however: completed, failed, skipped or cancelled.
    Always,
}

/// One node, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) work: Work,
    /// Its parents, and when each of them lets it run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) needs: Vec<(u32, On)>,
    /// Its failure does not fail the workflow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) may_fail: bool,
    /// Somebody waits for its job alone: it gets an outcome also if it never runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) own_end: bool,
}

/// What a node does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Work {
    /// A job.
    Job(Box<Task>),
    /// Waits for a signal.
    Wait {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_ms: Option<u64>,
    },
    /// Stands for its parents.
    Gate,
    /// A job outside.
    Existing { id: String },
}

/// A job before it is enqueued.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) queue: String,
    #[serde(default, skip_serializing_if = "is_normal")]
    pub(super) priority: Priority,
    /// Its envelope, without what is known only when it is enqueued.
    pub(super) job: Box<RawValue>,
    /// It runs so much later than it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delay_ms: Option<u64>,
    /// It does not run before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at_ms: Option<u64>,
    /// From when it may run: all attempts together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline_in_ms: Option<u64>,
    /// From when it may run: not begun by then, it is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_in_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct KindOnly {
    kind: String,
}

impl Task {
    /// The kind of the job; empty if a foreign one has none.
    pub(super) fn kind(&self) -> String {
        let only = serde_json::from_str::<KindOnly>(self.job.get());
        only.map(|only| only.kind).unwrap_or_default()
    }
}

fn is_normal(priority: &Priority) -> bool {
    *priority == Priority::Normal
}

/// Some nodes of a graph: as many as fit into a message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) v: u32,
    /// Tells this workflow from another one of the same id.
    pub(super) mark: u64,
    pub(super) nodes: Vec<Node>,
    /// Edges to nodes of earlier pieces: from, to, when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) edges: Vec<(u32, u32, On)>,
}

/// A whole graph, known to have no circle.
#[derive(Debug)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    /// All nodes, each after its parents.
    order: Vec<u32>,
}

impl Graph {
    /// Checks the edges, and puts the nodes in order.
    pub(super) fn new(nodes: Vec<Node>) -> Result<Self, JobsError> {
        let order = order(&nodes)?;
        Ok(Self { nodes, order })
    }

    /// Puts pieces together again.
    pub(super) fn join(pieces: impl IntoIterator<Item = Piece>) -> Result<Self, JobsError> {
        let mut nodes: Vec<Node> = Vec::new();
        for piece in pieces {
            nodes.extend(piece.nodes);
            for (from, to, on) in piece.edges {
                let child = nodes.get_mut(place(to));
                child.ok_or_else(broken)?.needs.push((from, on));
            }
        }
        Self::new(nodes)
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes alone.
    pub(super) fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// The node `index`; there is none only if state and graph do not belong together.
    pub(super) fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(place(index))
    }

    /// All nodes, each after its parents.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    /// The index of the node called `name`.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let found = self.nodes.iter().position(|node| node.name == name)?;
        u32::try_from(found).ok()
    }

    /// These nodes and all that come after them.
    pub(super) fn with_descendants(&self, first: &[u32]) -> Vec<bool> {
        let mut is_in = vec![false; self.nodes.len()];
        for index in first {
            if let Some(place) = is_in.get_mut(place(*index)) {
                *place = true;
            }
        }
        for index in &self.order {
            let needs = &self.nodes[place(*index)].needs;
            if needs.iter().any(|(from, _)| is_in[place(*from)]) {
                is_in[place(*index)] = true;
            }
        }
        is_in
    }
}

/// The place of a node in a list.
pub(super) fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The nodes, each after its parents.
fn order(nodes: &[Node]) -> Result<Vec<u32>, JobsError> {
    let mut missing: Vec<usize> = nodes.iter().map(|node| node.needs.len()).collect();
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
    for (index, node) in (0_u32..).zip(nodes) {
        for (from, _) in &node.needs {
            let of = children.get_mut(place(*from)).ok_or_else(broken)?;
            of.push(index);
        }
    }
    let mut order: Vec<u32> = Vec::with_capacity(nodes.len());
    let roots = (0_u32..)
        .zip(&missing)
        .filter(|(_, missing)| **missing == 0);
    order.extend(roots.map(|(index, _)| index));
    let mut next = 0;
    while let Some(index) = order.get(next).copied() {
        next += 1;
        for child in &children[place(index)] {
            let missing = &mut missing[place(*child)];
            *missing -= 1;
            if *missing == 0 {
                order.push(*child);
            }
        }
    }
    if order.len() == nodes.len() {
        return Ok(order);
    }
    let circle = missing
        .iter()
        .zip(nodes)
        .filter(|(missing, _)| **missing > 0);
    let names: Vec<&str> = circle.take(5).map(|(_, node)| node.name.as_str()).collect();
    Err(JobsError::new(
        JobsErrorKind::InvalidWorkflow,
        format!(
            "order the nodes: these wait for one another in a circle, or come after one: {}",
            names.join(", ")
        ),
    ))
}

fn broken() -> JobsError {
    JobsError::new(
        JobsErrorKind::Corrupt,
        "read a workflow: an edge leads nowhere",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(needs: &[u32]) -> Node {
        Node {
            name: format!("after {needs:?}"),
            work: Work::Gate,
            needs: needs.iter().map(|from| (*from, On::Success)).collect(),
            may_fail: false,
            own_end: false,
        }
    }

    #[test]
    fn each_node_comes_after_its_parents() {
        let graph = Graph::new(vec![node(&[2]), node(&[]), node(&[1]), node(&[0, 1])]).unwrap();
        assert_eq!(graph.order(), [1, 2, 0, 3]);
        assert_eq!(graph.with_descendants(&[2]), [true, false, true, true]);
    }

    #[test]
    fn a_circle_is_refused_by_name() {
        let error = Graph::new(vec![node(&[]), node(&[2]), node(&[1])]).unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::InvalidWorkflow);
        assert!(
            error.to_string().contains("after [2], after [1]"),
            "{error}"
        );
    }

    #[test]
    fn a_later_piece_may_add_parents_to_an_earlier_node() {
        let piece = |nodes, edges| Piece {
            v: 1,
            mark: 1,
            nodes,
            edges,
        };
        let first = piece(vec![node(&[]), node(&[0])], Vec::new());
        let second = piece(vec![node(&[0])], vec![(2, 1, On::Always)]);
        let graph = Graph::join([first, second]).unwrap();
        assert_eq!(graph.order(), [0, 2, 1]);
    }
}

//! What an id names of which no job is stored: a workflow, or a node that waits, never ran, or has lost its job.

use naq_connection::Connection;
use serde::{Serialize, Serializer};

use super::advance::holds_up;
use super::graph::{Graph, Node, Work};
use super::state::{NodeState, State, WorkflowState, node_of};
use super::status::own_id;
use super::stop::end_without_job;
use super::store::{self, read_graph};
use crate::JobsError;
use crate::flow_end::tell_end;
use crate::model::JobId;
use crate::server::Link;
use crate::wire::FlowNode;

/// Nodes that are named at the most.
const MOST: usize = 20;

/// What an id names that is no job in store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowPlace {
    /// A workflow that is not over.
    Workflow {
        /// Where the whole is.
        state: WorkflowState,
        /// Nodes that have ended.
        ended: usize,
        /// All its nodes.
        nodes: usize,
        /// Nodes that run now; at most 20 of them.
        running: Vec<FlowNodeRef>,
        /// Why it is stopped, if it is.
        stopped_because: Option<String>,
    },
    /// A node of a workflow.
    Node(NodePlace),
}

/// A node of a workflow that has no job in store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlace {
    /// The workflow.
    pub workflow: JobId,
    /// The name of the node.
    pub node: String,
    /// Where the node is.
    pub state: NodeState,
    /// Its kind and its queue, if it is a job; a node without waits for a signal.
    pub job: Option<(String, String)>,
    /// What it waits for, or what has kept it from running for ever; at most 20 of them.
    pub because: Vec<FlowNodeRef>,
    /// How many those are in all.
    pub count: usize,
    /// Why the workflow is stopped, if it is.
    pub stopped_because: Option<String>,
}

/// A node, as others name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowNodeRef {
    /// Its name.
    pub node: String,
    /// Where it is.
    pub state: NodeState,
    /// The id of its job, if it has one.
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
}

#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn text<S: Serializer>(id: &Option<JobId>, to: S) -> Result<S::Ok, S::Error> {
    id.as_ref().map(JobId::as_str).serialize(to)
}

/// A node that was found by the id of its job.
struct Found {
    flow: JobId,
    index: u32,
    graph: Graph,
    state: State,
}

/// What `id` names, if it is a workflow or a node of one.
pub(crate) async fn find_place(
    conn: &Connection,
    link: &Link,
    id: &JobId,
) -> Result<Option<FlowPlace>, JobsError> {
    if let Some(found) = store::read(conn, link, id).await? {
        let graph = read_graph(conn, link, id, &found.state).await?;
        return Ok(Some(whole(id, &graph, &found.state)));
    }
    let found = find(conn, link, id).await?;
    Ok(found.and_then(|found| found.place()).map(FlowPlace::Node))
}

async fn find(conn: &Connection, link: &Link, id: &JobId) -> Result<Option<Found>, JobsError> {
    let Some((flow, index)) = node_of(id) else {
        return Ok(None);
    };
    let Some(found) = store::read(conn, link, &flow).await? else {
        return Ok(None);
    };
    let state = found.state;
    // A job of an earlier round, or another id that looks like one.
    if state.of(index).is_none() || state.job_id(&flow, index).as_ref() != Some(id) {
        return Ok(None);
    }
    let graph = read_graph(conn, link, &flow, &state).await?;
    Ok(Some(Found {
        flow,
        index,
        graph,
        state,
    }))
}

/// Cancels a node that has no job in store: it waits for others, or its job is gone. Says the names of workflow and node;
/// `None` if `id` is no such node.
pub(crate) async fn cancel_open_node(
    link: &Link,
    id: &JobId,
    reason: &str,
) -> Result<Option<(String, String)>, JobsError> {
    let conn = link.lease("cancel a node").await?;
    let Some(found) = find(&conn, link, id).await? else {
        return Ok(None);
    };
    let (state, now) = (&found.state, found.state.of(found.index));
    let Some(node) = found.graph.node(found.index) else {
        return Ok(None);
    };
    let is_open = match node.work {
        Work::Job(_) => now.is_some_and(|now| !now.has_ended()),
        // Before its time it could not be told from one that had its signal.
        Work::Wait { .. } => now == Some(NodeState::Running),
        Work::Gate | Work::Existing { .. } => false,
    };
    if !is_open {
        return Ok(None);
    }
    let status = end_without_job(link, id, node, reason, state.keep_s).await?;
    let flow = FlowNode {
        id: found.flow.to_string(),
        node: found.index,
        round: state.round_of(found.index),
    };
    let deadline = tokio::time::Instant::now() + link.settings().nats.request_timeout * 3;
    tell_end(link, &flow, status, deadline).await?;
    Ok(Some((found.flow.to_string(), node.name.clone())))
}

impl FlowPlace {
    /// The word for it, as a status of a job.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Workflow { state, .. } => state.as_str(),
            Self::Node(place) => match (place.state, &place.job) {
                (NodeState::Waiting | NodeState::Signalled, _) | (NodeState::Running, None) => {
                    "waiting"
                }
                (NodeState::Running, Some(_)) => "removed",
                (ended, _) => ended.as_str(),
            },
        }
    }

    /// Whether nothing of it runs any more.
    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Self::Workflow { state, .. } => state.has_ended(),
            Self::Node(place) => place.state.has_ended(),
        }
    }
}

impl Found {
    fn place(&self) -> Option<NodePlace> {
        let (node, state) = (self.graph.node(self.index)?, self.state.of(self.index)?);
        let job = match &node.work {
            Work::Job(task) => Some((task.kind(), task.queue.clone())),
            Work::Wait { .. } => None,
            Work::Gate | Work::Existing { .. } => return None,
        };
        let held: Vec<u32> = holds_up(node, state, &self.state).collect();
        let named = held.iter().take(MOST);
        Some(NodePlace {
            workflow: self.flow.clone(),
            node: node.name.clone(),
            state,
            job,
            because: named
                .filter_map(|index| named_node(&self.flow, &self.graph, &self.state, *index))
                .collect(),
            count: held.len(),
            stopped_because: stopped(&self.state),
        })
    }
}

fn whole(id: &JobId, graph: &Graph, state: &State) -> FlowPlace {
    let nodes = &state.nodes.0;
    let running = (0..).zip(nodes);
    let running = running.filter(|(_, state)| **state == NodeState::Running);
    FlowPlace::Workflow {
        state: state.state,
        ended: nodes.iter().filter(|state| state.has_ended()).count(),
        nodes: nodes.len(),
        running: running
            .filter_map(|(index, _)| named_node(id, graph, state, index))
            .take(MOST)
            .collect(),
        stopped_because: stopped(state),
    }
}

fn named_node(flow: &JobId, graph: &Graph, state: &State, index: u32) -> Option<FlowNodeRef> {
    let node: &Node = graph.node(index)?;
    Some(FlowNodeRef {
        node: node.name.clone(),
        state: state.of(index)?,
        job_id: own_id(flow, state, index, &node.work),
    })
}

fn stopped(state: &State) -> Option<String> {
    state.stop.as_ref().map(|stop| stop.reason.clone())
}

//! Reasons that have to do with a workflow: the job is a node that has no job in store, or the id is that of a workflow.
//!
//! | the node is | and | reason |
//! |---|---|---|
//! | waiting | | `waits_for`, with the parents that have not ended |
//! | running | a signal is what it waits for | `waits_for_signal` |
//! | | its job is nowhere | `job_removed` |
//! | skipped, or cancelled with the workflow | | `never_ran`, with the parents that have kept it from running |
//! | ended otherwise | its outcome has expired, or none was kept | `node_ended` |

use std::fmt;

use serde::Serialize;

use crate::workflow::{FlowNodeRef, FlowPlace, NodePlace, NodeState, WorkflowState};

/// Why a node of a workflow has no job, or what a workflow waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FlowReason {
    /// Its parents have not ended.
    WaitsFor {
        /// The workflow.
        workflow: String,
        /// Its name there.
        node: String,
        /// The parents; at most 20 of them.
        parents: Vec<FlowNodeRef>,
        /// How many they are.
        count: usize,
    },
    /// Somebody has to send a signal.
    WaitsForSignal {
        /// The workflow.
        workflow: String,
        /// Its name there.
        node: String,
    },
    /// Its job was enqueued, and somebody has removed it from the stream.
    JobRemoved {
        /// The workflow.
        workflow: String,
        /// Its name there.
        node: String,
    },
    /// It will not run any more.
    NeverRan {
        /// The workflow.
        workflow: String,
        /// Its name there.
        node: String,
        /// The parents that have ended so that it can never run; at most 20 of them.
        parents: Vec<FlowNodeRef>,
        /// Why the workflow was stopped, if that is the reason.
        why: Option<String>,
    },
    /// It has ended, and its outcome has expired or was not kept.
    NodeEnded {
        /// The workflow.
        workflow: String,
        /// Its name there.
        node: String,
        /// How it ended.
        state: NodeState,
    },
    /// The id is that of a workflow.
    Workflow {
        /// Where the whole is.
        state: WorkflowState,
        /// Nodes that have ended.
        ended: usize,
        /// All its nodes.
        nodes: usize,
        /// Nodes that run; at most 20 of them.
        running: Vec<FlowNodeRef>,
    },
}

/// By the table above.
pub(super) fn flow_reason(place: &FlowPlace) -> FlowReason {
    match place {
        FlowPlace::Node(place) => node_reason(place),
        FlowPlace::Workflow {
            state,
            ended,
            nodes,
            running,
            ..
        } => FlowReason::Workflow {
            state: *state,
            ended: *ended,
            nodes: *nodes,
            running: running.clone(),
        },
    }
}

fn node_reason(place: &NodePlace) -> FlowReason {
    let (workflow, node) = (place.workflow.to_string(), place.node.clone());
    match (place.state, &place.job) {
        (NodeState::Waiting | NodeState::Signalled, _) => FlowReason::WaitsFor {
            workflow,
            node,
            parents: place.because.clone(),
            count: place.count,
        },
        (NodeState::Running, None) => FlowReason::WaitsForSignal { workflow, node },
        (NodeState::Running, Some(_)) => FlowReason::JobRemoved { workflow, node },
        (NodeState::Skipped | NodeState::Cancelled, _) => FlowReason::NeverRan {
            workflow,
            node,
            parents: place.because.clone(),
            why: place.stopped_because.clone(),
        },
        (state @ (NodeState::Completed | NodeState::Failed), _) => FlowReason::NodeEnded {
            workflow,
            node,
            state,
        },
    }
}

impl FlowReason {
    /// The workflow and the node, unless it is about a whole.
    fn place(&self) -> Option<(&str, &str)> {
        match self {
            Self::WaitsFor { workflow, node, .. }
            | Self::WaitsForSignal { workflow, node }
            | Self::JobRemoved { workflow, node }
            | Self::NeverRan { workflow, node, .. }
            | Self::NodeEnded { workflow, node, .. } => Some((workflow, node)),
            Self::Workflow { .. } => None,
        }
    }
}

impl fmt::Display for FlowReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((workflow, node)) = self.place() {
            write!(f, "the node {node} of the workflow {workflow} ")?;
        }
        match self {
            Self::WaitsFor { parents, count, .. } => {
                f.write_str("waits for ")?;
                named(f, parents, *count)
            }
            Self::WaitsForSignal { .. } => f.write_str("waits for a signal"),
            Self::JobRemoved { .. } => {
                f.write_str("runs, and its job was removed from the server: nobody will end it")
            }
            Self::NeverRan { parents, why, .. } => {
                f.write_str("never ran: ")?;
                match why {
                    Some(why) => write!(f, "the workflow was stopped: {why}"),
                    None if parents.is_empty() => f.write_str("it was cancelled"),
                    None => named(f, parents, parents.len()),
                }
            }
            Self::NodeEnded { state, .. } => {
                let state = state.as_str();
                write!(f, "is {state}; its outcome has expired, or none was kept")
            }
            Self::Workflow {
                state,
                ended,
                nodes,
                running,
            } => {
                let state = state.as_str();
                write!(
                    f,
                    "it is a workflow, {state}: {ended} of {nodes} nodes have ended"
                )?;
                if running.is_empty() {
                    return Ok(());
                }
                f.write_str("; now ")?;
                named(f, running, running.len())
            }
        }
    }
}

/// `load (running, etl-1-6), clean (waiting, etl-1-4) and 3 more`.
fn named(f: &mut fmt::Formatter<'_>, nodes: &[FlowNodeRef], count: usize) -> fmt::Result {
    for (number, node) in nodes.iter().enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        write!(f, "{separator}{} ({}", node.node, node.state.as_str())?;
        match &node.job_id {
            Some(id) => write!(f, ", {id})")?,
            None => f.write_str(")")?,
        }
    }
    match count.saturating_sub(nodes.len()) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(state: NodeState) -> NodePlace {
        NodePlace {
            workflow: "etl-1".parse().unwrap(),
            node: "load".to_owned(),
            state,
            job: Some(("store".to_owned(), "slow".to_owned())),
            because: vec![FlowNodeRef {
                node: "clean".to_owned(),
                state: NodeState::Failed,
                job_id: Some("etl-1-4".parse().unwrap()),
            }],
            count: 3,
            stopped_because: None,
        }
    }

    fn told(place: NodePlace) -> (String, String) {
        let reason = flow_reason(&FlowPlace::Node(place));
        let word = serde_json::to_value(&reason).unwrap();
        let word = word["reason"].as_str().unwrap().to_owned();
        (word, reason.to_string())
    }

    #[test]
    fn the_table_holds_and_each_reason_has_a_text() {
        let (word, text) = told(place(NodeState::Waiting));
        assert_eq!(word, "waits_for");
        assert_eq!(
            text,
            "the node load of the workflow etl-1 waits for clean (failed, etl-1-4) and 2 more"
        );
        assert_eq!(told(place(NodeState::Running)).0, "job_removed");
        let signal = NodePlace {
            job: None,
            ..place(NodeState::Running)
        };
        assert_eq!(told(signal).0, "waits_for_signal");
        let (word, text) = told(place(NodeState::Skipped));
        assert_eq!(word, "never_ran");
        assert!(
            text.ends_with("never ran: clean (failed, etl-1-4)"),
            "{text}"
        );
        let stopped = NodePlace {
            stopped_because: Some("no money".to_owned()),
            ..place(NodeState::Cancelled)
        };
        assert!(told(stopped).1.ends_with("stopped: no money"));
        assert_eq!(told(place(NodeState::Completed)).0, "node_ended");
    }
}

//! What is known of a workflow: one letter per node, and where the whole is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::graph::place;
use crate::model::JobId;
use crate::wire::Status;

/// The version that this build writes, and the only one that it reads.
pub(super) const VERSION: u32 = 1;

/// Rounds that a workflow may have: its first one and the retries.
pub(super) const MAX_ROUND: u32 = 35;

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It waits for its parents.
    Waiting,
    /// Its signal has come, but its parents have not ended yet.
    Signalled,
    /// Its job is enqueued or runs; or it waits for a signal, or for a job outside.
    Running,
    /// It has ended well.
    Completed,
    /// It has failed.
    Failed,
    /// One of its parents has ended so that it can never run.
    Skipped,
    /// The workflow was cancelled before it could run, or somebody cancelled its job.
    Cancelled,
}

/// Where the whole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowState {
    /// Something runs or waits.
    Running,
    /// It was cancelled, or its deadline has passed; what had begun is still to end.
    Stopping,
    /// Each node has completed or was skipped; none has failed that may not.
    Completed,
    /// A node has failed that may not, or the deadline has passed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// Why a workflow is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// The deadline has passed; else somebody cancelled it.
    pub(super) is_deadline: bool,
    pub(super) reason: String,
}

/// The record on `naq.flow.state.<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) v: u32,
    pub(super) name: String,
    pub(super) mark: u64,
    /// Another random number with each write.
    pub(super) turn: u64,
    pub(super) state: WorkflowState,
    pub(super) nodes: Letters,
    /// The round of each node, once there is more than one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) rounds: String,
    /// Retries so far.
    #[serde(default)]
    pub(super) round: u32,
    /// Pieces of the graph.
    pub(super) pieces: u32,
    pub(super) created_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deadline_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stop: Option<Stop>,
    /// Ends of nodes that wait: their jobs were stored by a turn that was not, or has not been yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) early: BTreeMap<u32, Status>,
    /// Sequence of the outcome that the next end may replace.
    #[serde(default)]
    pub(super) fence: u64,
    /// Seconds that it is kept after its end.
    pub(super) keep_s: u64,
}

/// The states of all nodes: a text with one letter each, on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Letters(pub(super) Vec<NodeState>);

const LETTERS: [(NodeState, char); 7] = [
    (NodeState::Waiting, 'w'),
    (NodeState::Signalled, 'g'),
    (NodeState::Running, 'r'),
    (NodeState::Completed, 'c'),
    (NodeState::Failed, 'f'),
    (NodeState::Skipped, 's'),
    (NodeState::Cancelled, 'x'),
];

impl NodeState {
    /// Whether nothing comes after it (but a retry).
    pub fn has_ended(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Skipped | Self::Cancelled
        )
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Signalled => "signalled",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl WorkflowState {
    /// Whether nothing comes after it (but a retry).
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Letters> for String {
    fn from(letters: Letters) -> Self {
        let letter = |state| LETTERS.iter().find(|(of, _)| *of == state);
        let all = letters.0.into_iter().filter_map(letter);
        all.map(|(_, letter)| *letter).collect()
    }
}

impl TryFrom<String> for Letters {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let state = |letter| {
            let found = LETTERS.iter().find(|(_, of)| *of == letter);
            found
                .map(|(state, _)| *state)
                .ok_or_else(|| format!("no state of a node: {letter}"))
        };
        text.chars().map(state).collect::<Result<_, _>>().map(Self)
    }
}

impl State {
    /// A workflow of `nodes` nodes that has not begun.
    pub(super) fn new(name: &str, nodes: usize, mark: u64) -> Self {
        Self {
            v: VERSION,
            name: name.to_owned(),
            mark,
            turn: 0,
            state: WorkflowState::Running,
            nodes: Letters(vec![NodeState::Waiting; nodes]),
            rounds: String::new(),
            round: 0,
            pieces: 0,
            created_ms: 0,
            deadline_ms: None,
            ended_ms: None,
            stop: None,
            early: BTreeMap::new(),
            fence: 0,
            keep_s: 0,
        }
    }

    /// Lets nodes wait again, in a new round.
    pub(super) fn begin_again(&mut self, is_in: &[bool]) {
        self.round += 1;
        let round = |index| {
            let is_in = is_in.get(place(index)).copied().unwrap_or(false);
            let round = if is_in {
                self.round
            } else {
                self.round_of(index)
            };
            char::from_digit(round, 36).unwrap_or('0')
        };
        self.rounds = (0..).map(round).take(self.nodes.0.len()).collect();
        for (node, is_in) in self.nodes.0.iter_mut().zip(is_in) {
            if *is_in {
                *node = NodeState::Waiting;
            }
        }
        self.early.clear();
        (self.state, self.stop) = (WorkflowState::Running, None);
        (self.ended_ms, self.deadline_ms) = (None, None);
    }

    /// The state of the node `index`.
    pub(super) fn of(&self, index: u32) -> Option<NodeState> {
        self.nodes.0.get(place(index)).copied()
    }

    pub(super) fn set(&mut self, index: u32, to: NodeState) {
        if let Some(state) = self.nodes.0.get_mut(place(index)) {
            *state = to;
        }
    }

    /// The round that the node `index` is in.
    pub(super) fn round_of(&self, index: u32) -> u32 {
        let digit = self.rounds.as_bytes().get(place(index)).copied();
        digit
            .and_then(|digit| char::from(digit).to_digit(36))
            .unwrap_or(0)
    }

    /// The id of the job of the node `index`, in the workflow `id`.
    pub(super) fn job_id(&self, id: &JobId, index: u32) -> Option<JobId> {
        node_job(id, index, self.round_of(index))
    }
}

/// The id of the job of a node in one round.
pub(super) fn node_job(id: &JobId, index: u32, round: u32) -> Option<JobId> {
    let text = match round {
        0 => format!("{id}-{index}"),
        _ => format!("{id}-{index}-r{round}"),
    };
    JobId::new(text).ok()
}

/// The workflow and the node that the id of a job would name, if it is that of a node.
pub(super) fn node_of(job: &JobId) -> Option<(JobId, u32)> {
    let text = job.as_str();
    let is_round = |round: &str| round.parse::<u32>().is_ok();
    let first = match text.rsplit_once("-r") {
        Some((first, round)) if is_round(round) => first,
        _ => text,
    };
    let (flow, index) = first.rsplit_once('-')?;
    Some((JobId::new(flow).ok()?, index.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_job_says_whose_node_it_is() {
        let id = |text: &str| JobId::new(text).unwrap();
        for flow in ["etl", "etl-1", "x-r2", "x-1-r2"] {
            for (index, round) in [(0, 0), (12, 0), (7, 3)] {
                let job = node_job(&id(flow), index, round).unwrap();
                assert_eq!(node_of(&job), Some((id(flow), index)), "{job}");
            }
        }
        for other in ["invoice", "a-b", "-1", "01KAPQ"] {
            assert_eq!(node_of(&id(other)), None, "{other}");
        }
    }

    #[test]
    fn states_are_letters_on_the_wire() {
        let all = Letters(LETTERS.iter().map(|(state, _)| *state).collect());
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(text, r#""wgrcfsx""#);
        assert_eq!(serde_json::from_str::<Letters>(&text).unwrap(), all);
        assert!(serde_json::from_str::<Letters>(r#""wq""#).is_err());
    }

    #[test]
    fn a_job_of_a_later_round_has_another_id() {
        let id = JobId::new("etl-1").unwrap();
        assert_eq!(node_job(&id, 7, 0).unwrap().as_str(), "etl-1-7");
        assert_eq!(node_job(&id, 7, 2).unwrap().as_str(), "etl-1-7-r2");
    }
}

//! The outcome of a whole workflow, and those of nodes that have no job: each is written once, the first one wins.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::graph::{Graph, Node, Work};
use super::state::{NodeState, State, WorkflowState};
use super::telling::{end_of, tell_workflow};
use crate::JobsError;
use crate::cancel::tell_cancelled;
use crate::model::JobId;
use crate::results::{outcome_headers, parse};
use crate::server::{Link, last_at_leader, now_ms, persist, wrong_sequence};
use crate::wire::{FailureReason, JobFailure, Outcome, Status};

/// Kind of the outcome of a workflow.
const WORKFLOW: &str = "workflow";

/// Nodes that the outcome of a failed workflow names.
const MAX_NAMED: usize = 10;

/// Writes the outcome of a workflow that is over, unless it is there.
pub(super) async fn record_outcome(
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
) -> Result<(), JobsError> {
    let mut outcome = outcome(id, WORKFLOW);
    outcome.started_at_ms = state.created_ms;
    outcome.finished_at_ms = state.ended_ms.unwrap_or_else(now_ms);
    outcome.attempt = state.round + 1;
    let (status, reason) = match (state.state, &state.stop) {
        (WorkflowState::Completed, _) => (Status::Completed, None),
        (WorkflowState::Cancelled, _) => (Status::Cancelled, Some(FailureReason::Cancelled)),
        (_, Some(stop)) if stop.is_deadline => (Status::Failed, Some(FailureReason::Deadline)),
        _ => (Status::Failed, Some(FailureReason::Error)),
    };
    outcome.status = status;
    outcome.result = serde_json::value::to_raw_value(&counts(state)).ok();
    outcome.error = reason.map(|reason| JobFailure::new(reason, why(graph, state)));
    let ttl = Duration::from_secs(state.keep_s);
    let (_, is_ours) = record(link, id, &outcome, ttl, state.fence).await?;
    if is_ours {
        tell_workflow(link, end_of(state.state), id, state);
    }
    Ok(())
}

/// Writes the outcome of a node whose job does not write it: it is a signal, or the job never ran or is gone. Says what is there
/// now, and whether it is this one.
pub(super) async fn record_node(
    link: &Link,
    id: &JobId,
    node: &Node,
    result: Result<Box<RawValue>, JobFailure>,
    keep_s: u64,
) -> Result<(Status, bool), JobsError> {
    let mut outcome = match &node.work {
        Work::Job(task) => outcome(id, &task.kind()),
        _ => outcome(id, "signal"),
    };
    if let Work::Job(task) = &node.work {
        (outcome.queue, outcome.attempt) = (task.queue.clone(), 0);
    }
    match result {
        Ok(value) => outcome.result = Some(value),
        Err(failure) => {
            let is_cancelled = failure.reason == FailureReason::Cancelled;
            outcome.status = if is_cancelled {
                Status::Cancelled
            } else {
                Status::Failed
            };
            outcome.error = Some(failure);
        }
    }
    let ttl = Duration::from_secs(keep_s);
    let (status, is_ours) = record(link, id, &outcome, ttl, 0).await?;
    if is_ours && outcome.status == Status::Cancelled {
        tell_cancelled(link, &outcome);
    }
    Ok((status, is_ours))
}

/// How many nodes are in each state.
fn counts(state: &State) -> serde_json::Map<String, serde_json::Value> {
    let all = [
        NodeState::Completed,
        NodeState::Failed,
        NodeState::Skipped,
        NodeState::Cancelled,
    ];
    let count = |of: NodeState| state.nodes.0.iter().filter(|node| **node == of).count();
    let counted = all
        .into_iter()
        .map(|of| (of.as_str().to_owned(), count(of).into()));
    counted.collect()
}

/// Why it did not complete, in words.
fn why(graph: &Graph, state: &State) -> String {
    if let Some(stop) = &state.stop {
        return stop.reason.clone();
    }
    let is_bad = |state: &NodeState| matches!(state, NodeState::Failed | NodeState::Cancelled);
    let bad = graph.nodes().iter().zip(&state.nodes.0);
    let is_real = |node: &Node| !node.may_fail && !matches!(node.work, Work::Gate);
    let bad = bad.filter(|(node, state)| is_bad(state) && is_real(node));
    let names: Vec<&str> = bad.map(|(node, _)| node.name.as_str()).collect();
    let shown = names
        .iter()
        .take(MAX_NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len() {
        0..=MAX_NAMED => format!("failed: {shown}"),
        all => format!("{all} nodes failed: {shown}..."),
    }
}

fn outcome(id: &JobId, kind: &str) -> Outcome {
    Outcome {
        v: 1,
        id: id.to_string(),
        kind: Some(kind.to_owned()),
        queue: String::new(),
        status: Status::Completed,
        attempt: 1,
        worker: String::new(),
        // 53 bits, so that every JSON reader sees the same number.
        nonce: fastrand::u64(..) >> 11,
        started_at_ms: now_ms(),
        finished_at_ms: now_ms(),
        result: None,
        result_ref: None,
        result_zlib: None,
        error: None,
    }
}

/// Writes an outcome if none is there that is newer than `fence`; says what is there, and whether it is this one.
async fn record(
    link: &Link,
    id: &JobId,
    outcome: &Outcome,
    ttl: Duration,
    fence: u64,
) -> Result<(Status, bool), JobsError> {
    let context = "record the end in a workflow";
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let body = serde_json::to_vec(outcome)
        .map_err(|e| JobsError::new(crate::JobsErrorKind::InvalidPayload, context).because(e))?;
    let (body, subject) = (&bytes::Bytes::from(body), &link.names().result(id));
    let stream = &link.names().results_stream();
    persist(link, context, deadline, move |conn| async move {
        let mut fence = fence;
        loop {
            let fields = outcome_headers(outcome, ttl, fence);
            let sent = conn
                .publish_acked(subject.clone(), fields, body.clone())
                .await;
            let Err(error) = sent else {
                return Ok((outcome.status, true));
            };
            if wrong_sequence(&error).is_none() {
                return Err(JobsError::connection(context, error));
            }
            match last_at_leader(&conn, stream, subject).await? {
                Some(found) => {
                    let there = parse(subject, &found.payload)?;
                    return Ok((there.status, there.nonce == outcome.nonce));
                }
                // The one that this was to replace has expired: now none may exist.
                None => fence = 0,
            }
        }
    })
    .await
}

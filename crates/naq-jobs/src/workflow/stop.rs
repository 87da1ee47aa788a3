//! Ends the jobs of a workflow that is cancelled or whose time is up: those that wait and those that run.
//!
//! The stop is stored first, so nothing begins because of it. Then each job that the state has as running is cancelled like
//! any other job, and the ends that follow make the last turn. Who cancels does this at once; a message that the server
//! sends a little later (`stop`) lets a worker do what is left, should the caller die. Each step may be done twice.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};

use super::advance::End;
use super::change::{Wish, change};
use super::graph::{Graph, Node, Work};
use super::outcome::record_node;
use super::state::{NodeState, State, Stop, WorkflowState};
use super::store::{self, read_graph};
use crate::cancel::cancel_node;
use crate::model::JobId;
use crate::server::Link;
use crate::wire::{CancelNotice, FailureReason, JobFailure, Status};
use crate::{JobsError, JobsErrorKind, failpoint};

/// Jobs that are cancelled at the same time.
const AT_ONCE: usize = 16;

/// Jobs that are cancelled before the state is written again.
const MOST: usize = 500;

/// Time that a handler gets to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Cancels a workflow; `false` if it was over before.
pub(super) async fn cancel(link: &Link, id: &JobId, reason: &str) -> Result<bool, JobsError> {
    let stop = |_: &Graph, state: &mut State| {
        if state.state.has_ended() {
            return Ok(Wish::Nothing);
        }
        if state.stop.is_some() {
            return Ok(Wish::Advance);
        }
        state.stop = Some(Stop {
            is_deadline: false,
            reason: reason.to_owned(),
        });
        state.state = WorkflowState::Stopping;
        Ok(Wish::Stop)
    };
    let is_open = change(link, id, &[], stop).await?;
    failpoint::reach("flow-stop-stored");
    let mut goes_on = is_open;
    while goes_on {
        let ends = ends_of(link, id).await?;
        goes_on = !ends.is_empty();
        if goes_on {
            change(link, id, &ends, |_, state| {
                Ok(match state.state.has_ended() {
                    true => Wish::Nothing,
                    false => Wish::Advance,
                })
            })
            .await?;
        }
    }
    Ok(is_open)
}

/// Cancels jobs of a workflow that is stopped; none if there is nothing left to cancel.
async fn ends_of(link: &Link, id: &JobId) -> Result<Vec<End>, JobsError> {
    let conn = link.lease("cancel a workflow").await?;
    match store::read(&conn, link, id).await? {
        Some(found) => {
            let graph = read_graph(&conn, link, id, &found.state).await?;
            stop_jobs(link, id, &graph, &found.state).await
        }
        None => Ok(Vec::new()),
    }
}

/// Whether a stopped workflow has jobs that are still to be cancelled.
pub(super) fn has_jobs(graph: &Graph, state: &State) -> bool {
    jobs(graph, state).next().is_some()
}

/// The nodes of a stopped workflow whose jobs wait or run.
fn jobs(graph: &Graph, state: &State) -> impl Iterator<Item = u32> {
    let is_stopping = state.state == WorkflowState::Stopping;
    let all = (0..).zip(graph.nodes()).filter(move |_| is_stopping);
    let open = all.filter(|(index, node)| {
        matches!(node.work, Work::Job(_)) && state.of(*index) == Some(NodeState::Running)
    });
    open.map(|(index, _)| index)
}

/// Cancels jobs of a stopped workflow, a part of them if they are many, and says how each has ended.
pub(super) async fn stop_jobs(
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
) -> Result<Vec<End>, JobsError> {
    let chosen: Vec<u32> = jobs(graph, state).take(MOST).collect();
    stream::iter(chosen)
        .map(|index| stop_job(link, id, graph, state, index))
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|end| std::future::ready(Ok(end)))
        .try_collect()
        .await
}

async fn stop_job(
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
    index: u32,
) -> Result<Option<End>, JobsError> {
    let (Some(own), Some(node)) = (state.job_id(id, index), graph.node(index)) else {
        return Ok(None);
    };
    let reason = state.stop.as_ref().map_or("", |stop| &stop.reason);
    let status = match cancel_node(link, &own, &CancelNotice::new(reason, GRACE)).await {
        // Removed from outside, or completed without a kept result and on its way to say so.
        Err(error) if error.kind() == JobsErrorKind::NotFound => {
            end_without_job(link, &own, node, reason, state.keep_s).await?
        }
        done => done?,
    };
    let round = state.round_of(index);
    Ok(Some(End::Node {
        node: index,
        round,
        status,
    }))
}

/// Writes that a node is cancelled of which there is no job; says how it has ended, if it had an end before.
pub(super) async fn end_without_job(
    link: &Link,
    own: &JobId,
    node: &Node,
    reason: &str,
    keep_s: u64,
) -> Result<Status, JobsError> {
    let failure = JobFailure::new(FailureReason::Cancelled, reason);
    let (status, _) = record_node(link, own, node, Err(failure), keep_s).await?;
    Ok(status)
}

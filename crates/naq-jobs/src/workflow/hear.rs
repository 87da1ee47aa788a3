//! From notices to ends: limits of time are decided, and jobs outside are listened to.
//!
//! A job outside says nothing to a workflow. The workflow has an ear for it: a durable consumer on the stream of outcomes
//! for this one subject, which the server delivers to all workers, again and again until it is removed.

use naq_connection::Connection;

use super::advance::End;
use super::graph::{Graph, Work};
use super::notice::{News, Notice};
use super::outcome::record_node;
use super::state::{NodeState, State};
use super::stop::stop_jobs;
use crate::JobsError;
use crate::model::JobId;
use crate::results::parse;
use crate::server::{Link, ensure_ear, last_at_leader, remove_ear};
use crate::wire::{FailureReason, JobFailure};

/// The ends that `news` tell of.
pub(super) async fn hear(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
    news: &[&News],
) -> Result<Vec<End>, JobsError> {
    let mut ends = Vec::with_capacity(news.len());
    for news in news {
        match **news {
            News::End {
                node,
                round,
                status,
            } => ends.push(End::Node {
                node,
                round,
                status,
            }),
            News::Deadline | News::Stop if state.stop.is_some() => {
                ends.extend(stop_jobs(link, id, graph, state).await?);
            }
            News::Deadline => ends.push(End::Deadline),
            // It was begun again.
            News::Stop => {}
            News::Timeout { node, round } => {
                let is_open =
                    state.of(node) == Some(NodeState::Running) && state.round_of(node) == round;
                if let (true, Some(own), Some(of)) =
                    (is_open, state.job_id(id, node), graph.node(node))
                {
                    let failure = JobFailure::new(FailureReason::Timeout, "no signal came in time");
                    // A signal at the same moment may have been first.
                    let (status, _) =
                        record_node(link, &own, of, Err(failure), state.keep_s).await?;
                    ends.push(End::Node {
                        node,
                        round,
                        status,
                    });
                }
            }
            News::Listen => ends.extend(listen(conn, link, id, graph, state).await?),
        }
    }
    Ok(ends)
}

/// Looks at the jobs outside that are waited for: the ends of those that have ended, and an ear for each other one.
async fn listen(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
) -> Result<Vec<End>, JobsError> {
    let (names, results) = (link.names(), link.names().results_stream());
    let mut ends = Vec::new();
    for (index, node) in (0..).zip(graph.nodes()) {
        let (Work::Existing { id: job }, Some(NodeState::Running)) = (&node.work, state.of(index))
        else {
            continue;
        };
        let Ok(job) = JobId::new(job.as_str()) else {
            continue;
        };
        let subject = names.result(&job);
        let mut found = last_at_leader(conn, &results, &subject).await?;
        if found.is_none() {
            ensure_ear(conn, link, id, index, &job).await?;
            // Most that end between the two looks need not wait for their ear.
            found = last_at_leader(conn, &results, &subject).await?;
        }
        if let Some(found) = found {
            ends.push(End::Node {
                node: index,
                round: state.round_of(index),
                status: parse(&subject, &found.payload)?.status,
            });
        }
    }
    Ok(ends)
}

/// Removes ears that have heard what they were made for. Should that fail, they speak again, and are removed then.
pub(super) async fn forget_outside(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
    notices: &[Notice],
) {
    for notice in notices {
        if let News::End { node, .. } = notice.news
            && matches!(
                graph.node(node).map(|node| &node.work),
                Some(Work::Existing { .. })
            )
        {
            drop(remove_ear(conn, link, id, node).await);
        }
    }
    // What was cancelled does not listen any more either.
    let was_stopped = state.state.has_ended() && state.stop.is_some();
    for (index, node) in (0..).zip(graph.nodes()).filter(|_| was_stopped) {
        if matches!(node.work, Work::Existing { .. }) {
            drop(remove_ear(conn, link, id, index).await);
        }
    }
}

//! The outcomes of jobs that never ran, for whoever waits for one of them alone.

use super::advance::holds_up;
use super::graph::{Graph, Work};
use super::outcome::record_node;
use super::state::{NodeState, State};
use super::status::own_id;
use crate::JobsError;
use crate::model::JobId;
use crate::server::Link;
use crate::wire::{FailureReason, JobFailure};

/// Writes them, after each turn: twice is harmless. Most workflows have no such job, and nothing is written for them.
pub(super) async fn record_unrun(
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
) -> Result<(), JobsError> {
    for (index, node) in (0..).zip(graph.nodes()).filter(|(_, node)| node.own_end) {
        let Some(now @ (NodeState::Skipped | NodeState::Cancelled)) = state.of(index) else {
            continue;
        };
        let Some(own) = state.job_id(id, index) else {
            continue;
        };
        let parents = holds_up(node, now, state);
        let named = parents.filter_map(|from| {
            let parent = graph.node(from)?;
            let is_outside = matches!(parent.work, Work::Existing { .. });
            let job = own_id(id, state, from, &parent.work).filter(|_| is_outside);
            let name = job.map_or_else(|| parent.name.clone(), |job| job.to_string());
            Some(format!("{name} is {}", state.of(from)?.as_str()))
        });
        let why = match (&state.stop, named.collect::<Vec<_>>()) {
            (Some(stop), _) => stop.reason.clone(),
            (None, named) if named.is_empty() => "cancelled".to_owned(),
            (None, named) => format!("never ran: {}", named.join(", ")),
        };
        let failure = JobFailure::new(FailureReason::Cancelled, why);
        record_node(link, &own, node, Err(failure), state.keep_s).await?;
    }
    Ok(())
}

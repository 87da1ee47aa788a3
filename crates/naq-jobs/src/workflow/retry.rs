//! A workflow that is over begins again, from the nodes that failed or from some others.

use std::time::Duration;

use tokio::time::Instant;

use super::change::{Wish, change};
use super::resolve::{invalid, no_node};
use super::state::{MAX_ROUND, NodeState};
use crate::JobsError;
use crate::model::JobId;
use crate::server::{Link, last_at_leader, persist};

/// Runs `nodes` once more, and all that come after them; says how many those are.
pub(super) async fn retry(link: &Link, id: &JobId, nodes: &[&str]) -> Result<usize, JobsError> {
    let fence = fence(link, id).await?;
    let count = std::cell::Cell::new(0);
    change(link, id, &[], |graph, state| {
        if !state.state.has_ended() {
            return Err(invalid(format!(
                "retry the workflow {id}: it is not over; wait, or cancel it"
            )));
        }
        if state.round >= MAX_ROUND {
            return Err(invalid(format!(
                "retry the workflow {id}: it was retried {MAX_ROUND} times; submit it again"
            )));
        }
        let chosen = if nodes.is_empty() {
            let is_bad = |state: Option<NodeState>| {
                matches!(state, Some(NodeState::Failed | NodeState::Cancelled))
            };
            let all = 0..u32::try_from(graph.len()).unwrap_or(u32::MAX);
            all.filter(|index| is_bad(state.of(*index))).collect()
        } else {
            let find = |name: &&str| graph.find(name).ok_or_else(|| no_node(id, name));
            nodes.iter().map(find).collect::<Result<Vec<_>, _>>()?
        };
        if chosen.is_empty() {
            return Err(invalid(format!(
                "retry the workflow {id}: nothing of it has failed; name a node"
            )));
        }
        let is_in = graph.with_descendants(&chosen);
        count.set(is_in.iter().filter(|is_in| **is_in).count());
        state.begin_again(&is_in);
        state.fence = fence;
        Ok(Wish::BeginAgain)
    })
    .await?;
    Ok(count.get())
}

/// Sequence of the outcome that is there; 0: none.
async fn fence(link: &Link, id: &JobId) -> Result<u64, JobsError> {
    let (stream, subject) = (&link.names().results_stream(), &link.names().result(id));
    let deadline = Instant::now() + Duration::from_secs(10);
    let found = persist(link, "retry a workflow", deadline, move |conn| async move {
        last_at_leader(&conn, stream, subject).await
    });
    Ok(found.await?.map_or(0, |found| found.sequence))
}

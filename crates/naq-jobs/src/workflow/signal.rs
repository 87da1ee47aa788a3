//! A signal for a node that waits for it: the first one counts, and is the result of the node.

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::graph::Work;
use super::outcome::record_node;
use super::resolve::{invalid, no_node};
use super::state::NodeState;
use super::store::{self, not_there, read_graph};
use crate::flow_end::tell_end;
use crate::model::JobId;
use crate::server::Link;
use crate::wire::FlowNode;
use crate::{JobsError, JobsErrorKind};

/// Sends `value` to the waiting node `node`.
pub(super) async fn signal(
    link: &Link,
    id: &JobId,
    node: &str,
    value: Box<RawValue>,
) -> Result<(), JobsError> {
    let conn = link.lease("send a signal").await?;
    let found = store::read(&conn, link, id)
        .await?
        .ok_or_else(|| not_there(id))?;
    let state = &found.state;
    let graph = read_graph(&conn, link, id, state).await?;
    let index = graph.find(node).ok_or_else(|| no_node(id, node))?;
    let waiting = graph
        .node(index)
        .filter(|node| matches!(node.work, Work::Wait { .. }));
    let waiting = waiting.ok_or_else(|| {
        invalid(format!(
            "signal the node {node} of {id}: it waits for no signal"
        ))
    })?;
    let now = state.of(index).unwrap_or(NodeState::Skipped);
    if matches!(
        now,
        NodeState::Skipped | NodeState::Cancelled | NodeState::Failed
    ) {
        let now = now.as_str();
        return Err(invalid(format!(
            "signal the node {node} of {id}: it does not wait any more, it is {now}"
        )));
    }
    let own = state.job_id(id, index).ok_or_else(|| no_node(id, node))?;
    let (status, is_ours) = record_node(link, &own, waiting, Ok(value), state.keep_s).await?;
    let flow = FlowNode {
        id: id.to_string(),
        node: index,
        round: state.round_of(index),
    };
    // Also if it is there already: whoever sent it may have died before this.
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    tell_end(link, &flow, status, deadline).await?;
    if is_ours {
        return Ok(());
    }
    let context =
        format!("signal the node {node} of {id}: it has had its signal, or its time was up");
    Err(JobsError::new(JobsErrorKind::Conflict, context))
}

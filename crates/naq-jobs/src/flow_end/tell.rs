//! Tells the workers that a node has ended.

use async_nats::HeaderMap;
use tokio::time::Instant;

use crate::JobsError;
use crate::model::JobId;
use crate::server::{Link, persist};
use crate::wire::{FlowNode, Status};

/// Stores that the node `flow` has ended, confirmed. Twice is harmless.
pub(crate) async fn tell_end(
    link: &Link,
    flow: &FlowNode,
    status: Status,
    deadline: Instant,
) -> Result<(), JobsError> {
    let Ok(id) = JobId::new(flow.id.as_str()) else {
        // Written by somebody else: nobody waits for it.
        return Ok(());
    };
    let subject = &link.names().flow_end(&id, flow.node);
    let body = serde_json::json!({ "round": flow.round, "status": status.as_str() }).to_string();
    let (body, context) = (&bytes::Bytes::from(body), "tell a workflow of an end");
    persist(link, context, deadline, move |conn| async move {
        let sent = conn
            .publish_acked(subject.clone(), HeaderMap::new(), body.clone())
            .await;
        sent.map(drop)
            .map_err(|e| JobsError::connection(context, e))
    })
    .await
}

//! The messages of nodes that begin: their jobs, and their limits of time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use super::graph::{Graph, Work};
use super::state::State;
use crate::model::{JobId, QueueName};
use crate::server::{Link, Write, now_ms, rfc3339};
use crate::wire::FlowNode;
use crate::{JobsError, JobsErrorKind};

/// The word of the message that asks for ears on jobs outside, and for a further turn.
pub(super) const LISTEN: &str = "listen";

/// The word of the message of the deadline.
pub(super) const DEADLINE: &str = "deadline";

/// Jobs that one turn enqueues at the most; with the rest of the batch they stay below the server's limit.
pub(super) const MOST: usize = 900;

/// What the nodes `begin` need to be stored with the state.
pub(super) fn begin_writes(
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
    begin: &[u32],
) -> Result<Vec<Write>, JobsError> {
    let mut writes = Vec::with_capacity(begin.len() + 1);
    let mut listens = false;
    for index in begin {
        let Some(node) = graph.node(*index) else {
            continue;
        };
        match &node.work {
            Work::Gate => {}
            Work::Existing { .. } => listens = true,
            Work::Wait { limit_ms: None } => {}
            Work::Wait { limit_ms: Some(ms) } => {
                let round = state.round_of(*index);
                let body = serde_json::json!({ "round": round, "is_timeout": true });
                let due = SystemTime::now() + Duration::from_millis(*ms);
                writes.push(arm(link, id, &index.to_string(), due, body.to_string())?);
            }
            Work::Job { .. } => writes.push(job(link, id, state, *index, &node.work)?),
        }
    }
    if listens {
        writes.push(listen(link, id));
    }
    Ok(writes)
}

/// Asks the workers to listen to jobs outside, and to make a further turn.
pub(super) fn listen(link: &Link, id: &JobId) -> Write {
    Write {
        subject: link.names().flow_end(id, LISTEN),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
    }
}

/// A message that the server turns into one of an end, at `due`.
pub(super) fn arm(
    link: &Link,
    id: &JobId,
    what: &str,
    due: SystemTime,
    body: String,
) -> Result<Write, JobsError> {
    let at = rfc3339(due).ok_or_else(|| impossible(id, "set a limit after the year 9999"))?;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Schedule", format!("@at {at}"));
    headers.insert("Nats-Schedule-Target", link.names().flow_end(id, what));
    headers.insert("Nats-TTL", "never");
    Ok(Write {
        subject: link.names().flow_arm(id, what),
        headers,
        body: body.into(),
    })
}

fn job(
    link: &Link,
    id: &JobId,
    state: &State,
    index: u32,
    work: &Work,
) -> Result<Write, JobsError> {
    let Work::Job {
        queue,
        job,
        delay_ms,
        at_ms,
    } = work
    else {
        return Err(impossible(id, "begin a node that is no job"));
    };
    let queue =
        QueueName::new(queue.clone()).map_err(|e| impossible(id, "use a queue").because(e))?;
    let own = state
        .job_id(id, index)
        .ok_or_else(|| impossible(id, "name a job"))?;
    let body = envelope(job, id, index, state.round_of(index));
    let body = body.map_err(|e| impossible(id, "write a job").because(e))?;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", own.as_str());
    let target = link.names().job(&queue, &own);
    let later = delay_ms.map(|ms| SystemTime::now() + Duration::from_millis(ms));
    let at = at_ms.and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms)));
    let due = later.max(at).filter(|due| *due > SystemTime::now());
    let mut subject = target.clone();
    if let Some(due) = due {
        let at = rfc3339(due).ok_or_else(|| impossible(id, "begin a job after the year 9999"))?;
        headers.insert("Nats-Schedule", format!("@at {at}"));
        headers.insert("Nats-Schedule-Target", target);
        subject = link.names().schedule(&queue, &own);
    }
    Ok(Write {
        subject,
        headers,
        body: body.into(),
    })
}

/// The envelope of the graph, with what is known only now.
fn envelope(
    job: &RawValue,
    id: &JobId,
    node: u32,
    round: u32,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(job.get())?;
    let flow = FlowNode {
        id: id.to_string(),
        node,
        round,
    };
    fields.insert("enqueued_at_ms".to_owned(), to_raw_value(&now_ms())?);
    fields.insert("flow".to_owned(), to_raw_value(&flow)?);
    serde_json::to_vec(&fields)
}

fn impossible(id: &JobId, what: &str) -> JobsError {
    JobsError::new(
        JobsErrorKind::Corrupt,
        format!("{what}, of the workflow {id}"),
    )
}

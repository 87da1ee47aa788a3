//! The messages of nodes that begin: their jobs, and their limits of time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use super::graph::{Graph, Task, Work};
use super::state::State;
use super::traces::follows;
use crate::model::{JobId, Priority, QueueName};
use crate::server::{Link, Write, now_ms, rfc3339, unix_ms};
use crate::wire::FlowNode;
use crate::wire::headers::{FOLLOWS, PRIORITY};
use crate::{JobsError, JobsErrorKind};

/// The word of the message that asks for ears on jobs outside, and for a further turn.
pub(super) const LISTEN: &str = "listen";

/// The word of the message of the deadline.
pub(super) const DEADLINE: &str = "deadline";

/// The word of the message that lets a worker cancel what is left of a stopped workflow.
pub(super) const STOP: &str = "stop";

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
            Work::Job(task) => {
                let mut write = job(link, id, state, *index, task)?;
                if let Some(before) = follows(id, graph, state, *index, task) {
                    write.headers.insert(FOLLOWS, before);
                }
                writes.push(write);
            }
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
    task: &Task,
) -> Result<Write, JobsError> {
    let queue = QueueName::new(task.queue.clone());
    let queue = queue.map_err(|e| impossible(id, "use a queue").because(e))?;
    let own = state.job_id(id, index);
    let own = own.ok_or_else(|| impossible(id, "name a job"))?;
    let now = SystemTime::now();
    let due = due_of(task, now);
    let flow = FlowNode {
        id: id.to_string(),
        node: index,
        round: state.round_of(index),
    };
    let body = envelope(task, &flow, due.unwrap_or(now), state.keep_s);
    let body = body.map_err(|e| impossible(id, "write a job").because(e))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &task.headers {
        headers.append(name.as_str(), value.as_str());
    }
    // The mark: another workflow may have had this id a minute ago.
    headers.insert("Nats-Msg-Id", format!("{own}:{}", state.mark));
    if task.priority != Priority::Normal {
        headers.insert(PRIORITY, task.priority.as_str());
    }
    let target = link.names().job_at(&queue, &own, task.priority);
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

/// When a job is due that may run now; `None`: at once.
pub(super) fn due_of(task: &Task, now: SystemTime) -> Option<SystemTime> {
    let later = task.delay_ms.map(|ms| now + Duration::from_millis(ms));
    let at = task
        .at_ms
        .and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms)));
    later.max(at).filter(|due| *due > now)
}

/// The envelope of the graph, with what is known only now.
fn envelope(
    task: &Task,
    flow: &FlowNode,
    due: SystemTime,
    keep_s: u64,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(task.job.get())?;
    let mut set = |name: &str, value: u64| {
        let value = to_raw_value(&value)?;
        fields.insert(name.to_owned(), value);
        Ok::<_, serde_json::Error>(())
    };
    set("enqueued_at_ms", now_ms())?;
    if let Some(ms) = task.deadline_in_ms {
        set("deadline_ms", unix_ms(due).saturating_add(ms))?;
    }
    if let Some(ms) = task.expires_in_ms {
        set("expires_at_ms", unix_ms(due).saturating_add(ms))?;
    }
    if !fields.contains_key("result_ttl_s") {
        fields.insert("result_ttl_s".to_owned(), to_raw_value(&keep_s)?);
    }
    fields.insert("flow".to_owned(), to_raw_value(flow)?);
    serde_json::to_vec(&fields)
}

fn impossible(id: &JobId, what: &str) -> JobsError {
    JobsError::new(
        JobsErrorKind::Corrupt,
        format!("{what}, of the workflow {id}"),
    )
}

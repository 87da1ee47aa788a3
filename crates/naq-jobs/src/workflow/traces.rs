//! The trace of a workflow: all of its jobs are below the span of whoever submitted it, and say what they come after.

use super::graph::{Graph, Node, Task, Work, place};
use super::state::State;
use super::status::own_id;
use crate::model::{JobId, TraceContext};
use crate::traces::{Sending, SpanEnd, SpanStart, TraceOperation};

/// Jobs that one names at the most: they go into a header.
const MAX_FOLLOWED: usize = 16;

/// Nodes are about to be stored; those that name no trace of their own are below the current span.
pub(super) fn begin_trace(name: &str, nodes: &mut [Node]) -> Sending {
    let mut start = SpanStart::new(TraceOperation::Submit);
    start.destination = Some(name);
    let sending = Sending::begin(&start);
    if let Some(context) = sending.context() {
        for node in nodes {
            match &mut node.work {
                Work::Job(task) if !is_traced(task) => {
                    let pairs = context.pairs();
                    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    task.headers.extend(pairs);
                }
                _ => {}
            }
        }
    }
    sending
}

/// So many nodes of the workflow `id` are stored.
pub(super) fn end_trace(sending: &Sending, id: &JobId, count: usize) {
    sending.ended(&SpanEnd {
        job_id: Some(id.as_str()),
        count: Some(count),
        ..SpanEnd::default()
    });
}

fn is_traced(task: &Task) -> bool {
    task.headers
        .iter()
        .any(|(name, _)| name == TraceContext::PARENT)
}

/// The jobs that the node comes after, through gates, as the header has them; `None` for one that is not traced.
pub(super) fn follows(
    id: &JobId,
    graph: &Graph,
    state: &State,
    index: u32,
    task: &Task,
) -> Option<String> {
    if !is_traced(task) {
        return None;
    }
    let mut ids = Vec::new();
    let mut open = vec![index];
    let mut seen = vec![false; graph.len()];
    while let Some(node) = open.pop().and_then(|index| graph.node(index)) {
        for (from, _) in &node.needs {
            let is_new = seen
                .get_mut(place(*from))
                .is_some_and(|seen| !std::mem::replace(seen, true));
            let Some(parent) = graph.node(*from).filter(|_| is_new) else {
                continue;
            };
            match own_id(id, state, *from, &parent.work) {
                Some(own) => ids.push(own.to_string()),
                None => open.push(*from),
            }
            if ids.len() >= MAX_FOLLOWED {
                return Some(ids.join(" "));
            }
        }
    }
    (!ids.is_empty()).then(|| ids.join(" "))
}

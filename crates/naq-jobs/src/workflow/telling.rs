//! What is told of workflows, and of the jobs that they enqueue.

use std::time::SystemTime;

use super::begin::due_of;
use super::graph::{Graph, Work};
use super::state::{State, WorkflowState};
use crate::events::{EventType, Fact, NONE};
use crate::model::{JobId, KindName, QueueName};
use crate::server::{Link, unix_ms};

/// A workflow was submitted, a turn of it is written, or it is over.
pub(super) fn tell_workflow(link: &Link, event_type: EventType, id: &JobId, state: &State) {
    if !link.events().is_on() {
        return;
    }
    let mut fact = Fact::now(event_type);
    fact.kind = "workflow";
    fact.job_id = Some(id.as_str());
    fact.details = Some(serde_json::json!({ "name": state.name, "state": state.state.as_str() }));
    link.events().tell(&fact);
}

/// The type of the event that a workflow is over.
pub(super) fn end_of(state: WorkflowState) -> EventType {
    match state {
        WorkflowState::Completed => EventType::WorkflowCompleted,
        WorkflowState::Cancelled => EventType::WorkflowCancelled,
        _ => EventType::WorkflowFailed,
    }
}

/// A job that a turn enqueues, for when the turn is stored.
#[derive(Debug)]
pub(super) struct Begun {
    id: JobId,
    kind: Option<KindName>,
    queue: Option<QueueName>,
    due_ms: Option<u64>,
    at_ms: u64,
}

/// The jobs of the nodes `begin`, before they are stored: one may start at once. None if nobody is interested.
pub(super) fn begun(
    link: &Link,
    id: &JobId,
    graph: &Graph,
    state: &State,
    begin: &[u32],
) -> Vec<Begun> {
    if !link.events().is_on() {
        return Vec::new();
    }
    let now = SystemTime::now();
    let job = |index: &u32| match &graph.node(*index)?.work {
        Work::Job(task) => Some(Begun {
            id: state.job_id(id, *index)?,
            kind: KindName::new(task.kind()).ok(),
            queue: QueueName::new(task.queue.clone()).ok(),
            due_ms: due_of(task, now).map(unix_ms),
            at_ms: unix_ms(now),
        }),
        _ => None,
    };
    begin.iter().filter_map(job).collect()
}

/// The turn is stored.
pub(super) fn tell_begun(link: &Link, begun: &[Begun]) {
    for job in begun {
        let event_type = match job.due_ms {
            None => EventType::Enqueued,
            Some(_) => EventType::Scheduled,
        };
        // A foreign graph may hold anything; what is no name has no place in a subject.
        let queue = job.queue.as_ref().map_or(NONE, QueueName::as_str);
        let kind = job.kind.as_ref().map_or(NONE, KindName::as_str);
        let mut fact = Fact::of(event_type, queue, kind, job.id.as_str());
        (fact.at_ms, fact.due_ms) = (job.at_ms, job.due_ms);
        link.events().tell(&fact);
    }
}

//! What is told of workflows. Their jobs tell of themselves.

use super::state::{State, WorkflowState};
use crate::events::{EventType, Fact};
use crate::model::JobId;
use crate::server::Link;

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

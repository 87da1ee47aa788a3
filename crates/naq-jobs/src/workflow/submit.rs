//! Submits a workflow: its graph, its state and the jobs that may begin, all or none.

use std::time::SystemTime;

use super::advance::advance;
use super::begin::{DEADLINE, MOST, arm, begin_writes, listen};
use super::draft::Workflow;
use super::graph::Graph;
use super::handle::WorkflowHandle;
use super::ready::{has_outcome, ready};
use super::resolve::{invalid, resolve};
use super::state::{State, node_job};
use super::store::{MAX_PIECES, Versioned, commit, cut, piece_writes};
use super::telling::{begun, tell_begun, tell_workflow};
use super::traces::{begin_trace, end_trace};
use crate::events::EventType;
use crate::model::{Job, JobId};
use crate::server::{Link, now_ms};
use crate::{JobsError, JobsErrorKind};

/// Longest id, in bytes: ids of its jobs begin with it.
const MAX_ID: usize = 51;

/// Submits `workflow`, and says how to follow it.
pub(crate) async fn submit(link: &Link, workflow: Workflow) -> Result<WorkflowHandle, JobsError> {
    if let Some(error) = workflow.error {
        return Err(error);
    }
    let id = own_id(&workflow)?;
    if workflow.id.is_some() && has_outcome(link, &id).await? {
        return Err(taken(&id));
    }
    let default_queue = &link.settings().queues.default;
    let mut resolved = resolve(&workflow.nodes, &workflow.before, None, default_queue)?;
    if resolved.nodes.is_empty() {
        return Err(invalid("submit a workflow without nodes".to_owned()));
    }
    let count = resolved.nodes.len();
    let sending = begin_trace(&workflow.name, &mut resolved.nodes);
    // 53 bits, so that every JSON reader sees the same number.
    let mark = fastrand::u64(..) >> 11;
    let graph = Graph::new(resolved.nodes)?;
    ready(link, graph.nodes()).await?;
    let mut state = State::new(&workflow.name, graph.len(), mark);
    state.created_ms = now_ms();
    state.keep_s = workflow.keep.as_secs().max(1);
    let turn = advance(&graph, &mut state, &[], MOST);
    let mut writes = begin_writes(link, &id, &graph, &state, &turn.begin)?;
    if turn.has_more || state.state.has_ended() {
        // A worker goes on, or writes the outcome.
        writes.push(listen(link, &id));
    }
    if let Some(limit) = workflow.deadline {
        let due = SystemTime::now() + limit;
        state.deadline_ms = Some(state.created_ms + u64::try_from(limit.as_millis()).unwrap_or(0));
        writes.push(arm(link, &id, DEADLINE, due, "{}".to_owned())?);
    }
    let begun = begun(link, &id, &graph, &state, &turn.begin);
    let pieces = cut(mark, graph.into_nodes(), Vec::new())?;
    if pieces.len() > MAX_PIECES {
        return Err(JobsError::new(
            JobsErrorKind::TooLarge,
            "submit a workflow: its jobs have more than 16 MB. Store the data elsewhere and send its address",
        ));
    }
    state.pieces = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    writes.splice(0..0, piece_writes(link, &id, 0, pieces, None));
    let mut versioned = Versioned { state, sequence: 0 };
    if commit(link, &id, &mut versioned, writes).await? {
        tell_workflow(link, EventType::WorkflowStarted, &id, &versioned.state);
        end_trace(&sending, &id, count);
        tell_begun(link, &begun);
        return Ok(WorkflowHandle::new(link.clone(), id));
    }
    Err(taken(&id))
}

fn taken(id: &JobId) -> JobsError {
    JobsError::new(
        JobsErrorKind::AlreadyExists,
        format!(
            "submit the workflow {id}: there is one of this id, or was, and outcomes of it are kept"
        ),
    )
}

/// Submits one job that waits for `ids`, and says its id.
pub(crate) async fn submit_after<R>(
    link: &Link,
    job: Job<R>,
    ids: impl IntoIterator<Item = JobId>,
) -> Result<JobId, JobsError> {
    let mut workflow = Workflow::new("after");
    let mut names = Vec::new();
    for id in ids {
        let name = format!("job-{}", names.len());
        workflow = workflow.existing(name.clone(), id);
        names.push(name);
    }
    let node = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let handle = submit(link, workflow.node("job", job).own_end().after(names)).await?;
    node_job(handle.id(), node, 0).ok_or_else(|| invalid("name a job".to_owned()))
}

fn own_id(workflow: &Workflow) -> Result<JobId, JobsError> {
    let id = match &workflow.id {
        Some(id) => id.clone(),
        None => JobId::new(format!("{}-{}", workflow.name, JobId::generate()))
            .map_err(|e| invalid("make an id".to_owned()).because(e))?,
    };
    if id.as_str().len() > MAX_ID {
        let context =
            format!("use the id {id}: that of a workflow has at most {MAX_ID} characters");
        return Err(JobsError::new(JobsErrorKind::InvalidName, context));
    }
    Ok(id)
}

//! Submits a workflow: its graph, its state and the jobs that may begin, all or none.

use std::time::SystemTime;

use super::advance::advance;
use super::begin::{DEADLINE, MOST, arm, begin_writes, listen};
use super::draft::Workflow;
use super::graph::{Graph, Work};
use super::handle::WorkflowHandle;
use super::resolve::{invalid, resolve};
use super::state::State;
use super::store::{MAX_PIECES, Versioned, commit, cut, piece_writes};
use super::telling::tell_workflow;
use crate::events::EventType;
use crate::model::JobId;
use crate::server::{Link, last_at_leader, now_ms, page};
use crate::{JobsError, JobsErrorKind};

/// Longest id, in bytes: ids of its jobs begin with it.
const MAX_ID: usize = 51;

/// Submits `workflow`, and says how to follow it.
pub(crate) async fn submit(link: &Link, workflow: Workflow) -> Result<WorkflowHandle, JobsError> {
    if let Some(error) = workflow.error {
        return Err(error);
    }
    let id = own_id(&workflow)?;
    let default_queue = &link.settings().queues.default;
    let resolved = resolve(&workflow.nodes, &workflow.before, None, default_queue)?;
    if resolved.nodes.is_empty() {
        return Err(invalid("submit a workflow without nodes".to_owned()));
    }
    // 53 bits, so that every JSON reader sees the same number.
    let mark = fastrand::u64(..) >> 11;
    let graph = Graph::new(resolved.nodes)?;
    check_existing(link, &graph).await?;
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
        return Ok(WorkflowHandle::new(link.clone(), id));
    }
    Err(JobsError::new(
        JobsErrorKind::AlreadyExists,
        format!("submit the workflow {id}: there is one of this id"),
    ))
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

/// Refuses jobs outside of which nothing is known: nobody would ever say that they have ended.
pub(super) async fn check_existing(link: &Link, graph: &Graph) -> Result<(), JobsError> {
    let outside = graph.nodes().iter().filter_map(|node| match &node.work {
        Work::Existing { id } => Some(id),
        _ => None,
    });
    for id in outside {
        let id =
            JobId::new(id.as_str()).map_err(|e| invalid("wait for a job".to_owned()).because(e))?;
        if !is_known(link, &id).await? {
            return Err(JobsError::new(
                JobsErrorKind::NotFound,
                format!("wait for the job {id}: there is none, or its outcome has expired"),
            ));
        }
    }
    Ok(())
}

async fn is_known(link: &Link, id: &JobId) -> Result<bool, JobsError> {
    let conn = link.lease("look for a job").await?;
    let (names, results) = (link.names(), link.names().results_stream());
    let subject = names.result(id);
    let has_ended = || last_at_leader(&conn, &results, &subject);
    if has_ended().await?.is_some() {
        return Ok(true);
    }
    for filter in names.places_of(id) {
        if !page(&conn, &names.jobs_stream(), &filter, 0, 1)
            .await?
            .messages
            .is_empty()
        {
            return Ok(true);
        }
    }
    // It may have ended in between.
    Ok(has_ended().await?.is_some())
}

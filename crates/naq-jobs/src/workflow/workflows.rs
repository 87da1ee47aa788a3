//! All workflows: look, signal, cancel, retry, delete.

use futures::StreamExt;
use futures::stream;
use naq_connection::Connection;
use serde::Serialize;

use super::resolve::invalid;
use super::retry::retry;
use super::signal::signal;
use super::state::{NodeState, WorkflowState};
use super::status::WorkflowStatus;
use super::stop::cancel;
use super::store::{self, decode, read_graph};
use crate::model::JobId;
use crate::results::Results;
use crate::server::{Link, page, purge};
use crate::wire::Names;
use crate::{JobsError, JobsErrorKind};

/// Outcomes that are read at the same time.
const READS: usize = 32;

/// All workflows. A cheap handle.
///
/// Each change is made under compare-and-set: of two at the same time one comes after the other, and none is lost.
#[derive(Debug, Clone)]
pub struct Workflows {
    link: Link,
}

/// A workflow in a list: without its nodes.
#[derive(Debug, Clone)]
pub struct WorkflowSummary {
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Where the whole is.
    pub state: WorkflowState,
    /// Its nodes, each by its state alone.
    pub nodes: Vec<NodeState>,
    /// When it was submitted, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it was over, in milliseconds since 1970.
    pub ended_at_ms: Option<u64>,
}

/// Some workflows, and where to go on.
#[derive(Debug)]
pub struct WorkflowPage {
    /// The workflows, those that changed last at the end.
    pub workflows: Vec<WorkflowSummary>,
    /// Pass it to [`Workflows::list`] for the next page; `None` at the end.
    pub next: Option<u64>,
}

impl Workflows {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Where a workflow and each of its nodes is; `None` if there is none of this id, or it was over too long ago.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps), [`JobsErrorKind::Corrupt`].
    pub async fn get(&self, id: &JobId) -> Result<Option<WorkflowStatus>, JobsError> {
        let conn = self.link.lease("read a workflow").await?;
        let Some(found) = store::read(&conn, &self.link, id).await? else {
            return Ok(None);
        };
        let graph = read_graph(&conn, &self.link, id, &found.state).await?;
        Ok(Some(WorkflowStatus::new(id, &graph, &found.state)))
    }

    /// Reads the outcomes of all nodes of `status`: when they started, how long they took, why they failed.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn with_times(
        &self,
        mut status: WorkflowStatus,
    ) -> Result<WorkflowStatus, JobsError> {
        let results = Results::new(self.link.clone());
        let ids = status
            .nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| Some((index, node.job_id.clone()?)));
        let found: Vec<_> = stream::iter(ids.collect::<Vec<_>>())
            .map(|(index, id)| {
                let results = &results;
                async move { (index, results.find(&id).await) }
            })
            .buffer_unordered(READS)
            .collect()
            .await;
        for (index, outcome) in found {
            status.nodes[index].outcome = outcome?;
        }
        Ok(status)
    }

    /// At most `limit` workflows (at most 1000), from `from` on: 0, or what the last page said. One that advances while the
    /// pages are read may come twice.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps). A state that is unreadable is left out, with a warning.
    pub async fn list(&self, from: u64, limit: usize) -> Result<WorkflowPage, JobsError> {
        let conn = self.link.lease("list the workflows").await?;
        let (names, limit) = (self.link.names(), limit.clamp(1, 1000));
        let found = page(&conn, &names.jobs_stream(), &names.all_flows(), from, limit).await?;
        let read = found.messages.into_iter().filter_map(|stored| {
            let id = Names::parse_flow(&stored.subject)?;
            let state = decode(&id, &stored.payload);
            let state = state
                .inspect_err(|error| tracing::warn!(%error, "left out of the list"))
                .ok()?;
            Some(WorkflowSummary {
                id,
                name: state.name,
                state: state.state,
                nodes: state.nodes.0,
                created_at_ms: state.created_ms,
                ended_at_ms: state.ended_ms,
            })
        });
        Ok(WorkflowPage {
            workflows: read.collect(),
            next: found.next,
        })
    }

    /// Sends a signal to the waiting node `node`; `payload` is its result. It may come before the node waits. The first
    /// signal counts.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`] if there is no such workflow or node; [`JobsErrorKind::InvalidWorkflow`] if the node waits for
    /// no signal or not any more; [`JobsErrorKind::Conflict`] if it had its signal before;
    /// [`JobsErrorKind::Connection`] and [`JobsErrorKind::OutcomeUnknown`] (a retry helps, and may find the own signal).
    pub async fn signal(
        &self,
        id: &JobId,
        node: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<(), JobsError> {
        let value = serde_json::value::to_raw_value(payload).map_err(|e| {
            JobsError::new(
                JobsErrorKind::InvalidPayload,
                "write the payload of a signal",
            )
            .because(e)
        })?;
        signal(&self.link, id, node, value).await
    }

    /// Cancels a workflow: nothing of it begins any more, jobs that wait are removed, and handlers that run are told, as
    /// [`crate::Jobs::cancel`] does; they have 5 s to end by themselves. When this returns it is over, unless somebody changes
    /// it at the same time. `false` if it was over before.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`]; [`JobsErrorKind::Connection`] and [`JobsErrorKind::OutcomeUnknown`] (a retry helps).
    ///
    /// # Cancel safety
    /// If the future is dropped, it may or may not be cancelled; workers do what is left, and so does a second call.
    pub async fn cancel(&self, id: &JobId, reason: &str) -> Result<bool, JobsError> {
        Box::pin(cancel(&self.link, id, reason)).await
    }

    /// Runs nodes of a workflow that is over once more, and all that come after them; the others keep their ends. Without
    /// names: those that have failed or were cancelled. Says how many nodes begin again. The deadline does not count any more.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`] for workflow and nodes; [`JobsErrorKind::InvalidWorkflow`] if it is not over, nothing has failed, or it was retried 35 times;
    /// [`JobsErrorKind::Connection`] and [`JobsErrorKind::OutcomeUnknown`].
    pub async fn retry(&self, id: &JobId, nodes: &[&str]) -> Result<usize, JobsError> {
        retry(&self.link, id, nodes).await
    }

    /// Removes a workflow that is over, before its time; outcomes of its jobs stay. `false` if there was none.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidWorkflow`] if it is not over; [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn delete(&self, id: &JobId) -> Result<bool, JobsError> {
        let conn = self.link.lease("delete a workflow").await?;
        let Some(found) = store::read(&conn, &self.link, id).await? else {
            return Ok(false);
        };
        if !found.state.state.has_ended() {
            return Err(invalid(format!(
                "delete the workflow {id}: it is not over; cancel it first"
            )));
        }
        self.remove(&conn, id, found.state.pieces).await?;
        Ok(true)
    }

    async fn remove(&self, conn: &Connection, id: &JobId, pieces: u32) -> Result<(), JobsError> {
        let (names, stream) = (self.link.names(), self.link.names().jobs_stream());
        purge(conn, &stream, &names.flow_state(id)).await?;
        for piece in 0..pieces {
            purge(conn, &stream, &names.flow_spec(id, piece)).await?;
        }
        purge(conn, &stream, &names.flow_arm(id, "*")).await?;
        Ok(())
    }
}

//! What the sender keeps of a workflow: its id, and the ways to follow and to change it.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ready::has_outcome;
use super::state::NodeState;
use super::status::WorkflowStatus;
use super::store::not_there;
use super::workflows::Workflows;
use crate::model::JobId;
use crate::results::Results;
use crate::server::Link;
use crate::wire::Outcome;
use crate::{JobsError, JobsErrorKind};

/// A workflow that was submitted. A cheap handle; with the id any process gets another one
/// ([`crate::Jobs::workflow`]).
#[derive(Clone)]
pub struct WorkflowHandle {
    id: JobId,
    link: Link,
}

impl WorkflowHandle {
    pub(crate) fn new(link: Link, id: JobId) -> Self {
        Self { id, link }
    }

    /// The workflow's id.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Waits until the workflow is over, by push, at most `within`. The outcome's `result` has the number of nodes by
    /// state, its error the names of those that have failed.
    ///
    /// # Errors
    /// [`JobsErrorKind::Timeout`] if it is not over by then (a retry helps).
    ///
    /// # Cancel safety
    /// Safe to drop and call again.
    pub async fn wait(&self, within: Duration) -> Result<Outcome, JobsError> {
        Results::new(self.link.clone()).wait(&self.id, within).await
    }

    /// Waits for the result of a node, by push, at most `within`.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`] if there is no such node; [`JobsErrorKind::JobCancelled`] also if the node was skipped or never
    /// began, as soon as the workflow is over; else as [`crate::JobHandle::result`].
    pub async fn result<T: DeserializeOwned>(
        &self,
        node: &str,
        within: Duration,
    ) -> Result<T, JobsError> {
        let job = self.job_of(node).await?;
        let results = Results::new(self.link.clone());
        let mut outcome = Box::pin(results.wait(&job, within));
        let outcome = tokio::select! {
            outcome = &mut outcome => outcome?,
            _ = Box::pin(results.wait(&self.id, within)) => {
                // It is over, or was before a retry: what never began has no outcome to be waited for.
                self.job_of(node).await?;
                outcome.await?
            }
        };
        outcome.into_result()
    }

    /// The job of a node, unless that will never run.
    async fn job_of(&self, node: &str) -> Result<JobId, JobsError> {
        let status = self.status().await?;
        let found = status.node(node);
        let job = found.and_then(|node| Some((node.state, node.job_id.clone()?)));
        let failed = |kind, why: &str| {
            let id = &self.id;
            JobsError::new(
                kind,
                format!("find a result of the node {node} in the workflow {id}{why}"),
            )
        };
        let (state, job) = job.ok_or_else(|| failed(JobsErrorKind::NotFound, ""))?;
        let may_be_bare = matches!(state, NodeState::Skipped | NodeState::Cancelled);
        if may_be_bare && !has_outcome(&self.link, &job).await? {
            let why = format!(": it never ran, it is {}", state.as_str());
            return Err(failed(JobsErrorKind::JobCancelled, &why));
        }
        Ok(job)
    }

    /// Where the workflow and each of its nodes is.
    ///
    /// # Errors
    /// As [`Workflows::get`], and [`JobsErrorKind::NotFound`].
    pub async fn status(&self) -> Result<WorkflowStatus, JobsError> {
        let found = self.all().get(&self.id).await?;
        found.ok_or_else(|| not_there(&self.id))
    }

    /// See [`Workflows::cancel`].
    ///
    /// # Errors
    /// As [`Workflows::cancel`].
    pub async fn cancel(&self, reason: &str) -> Result<bool, JobsError> {
        self.all().cancel(&self.id, reason).await
    }

    /// See [`Workflows::signal`].
    ///
    /// # Errors
    /// As [`Workflows::signal`].
    pub async fn signal(
        &self,
        node: &str,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<(), JobsError> {
        self.all().signal(&self.id, node, payload).await
    }

    fn all(&self) -> Workflows {
        Workflows::new(self.link.clone())
    }
}

impl fmt::Debug for WorkflowHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

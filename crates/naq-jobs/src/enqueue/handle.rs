//! What the sender keeps of a job: its id, and the way to its result.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use futures::Stream;
use serde::de::DeserializeOwned;

use crate::JobsError;
use crate::enqueue::Landed;
use crate::model::{JobId, Landing};
use crate::notes::{Progress, Watch};
use crate::results::Results;
use crate::wire::Outcome;

/// A job that was enqueued. `R` is the type of its result.
pub struct JobHandle<R> {
    id: JobId,
    landing: Landing,
    results: Results,
    returns: PhantomData<fn() -> R>,
}

impl<R> JobHandle<R> {
    pub(crate) fn new(landed: Landed, results: Results) -> Self {
        Self {
            id: landed.id,
            landing: landed.landing,
            results,
            returns: PhantomData,
        }
    }

    /// The job's id; with it any process can ask for the result.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// What became of the job that was enqueued: always [`Landing::New`], except for unique jobs
    /// ([`crate::Job::unique`]).
    pub fn landing(&self) -> Landing {
        self.landing
    }

    /// Whether nothing was enqueued, since the key of the job was taken: this is the handle of the job that is there.
    pub fn is_existing(&self) -> bool {
        self.landing == Landing::Existing
    }

    /// Watches the job; see [`crate::Jobs::watch`].
    pub fn watch(&self) -> Watch {
        Watch::new(self.results.link().clone(), self.id.clone())
    }

    /// The progress of the job as it comes; ends with the job. See [`crate::Jobs::watch`].
    pub fn progress(&self) -> impl Stream<Item = Result<Progress, JobsError>> + Send + use<R> {
        self.watch().progress()
    }

    /// Waits until the job has ended, by push, at most `within`.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Timeout`] if it has not ended by then (a retry helps).
    pub async fn outcome(&self, within: Duration) -> Result<Outcome, JobsError> {
        self.results.wait(&self.id, within).await
    }

    /// Waits for the result, by push, at most `within`.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::JobFailed`] if the job is in the dead letters, with the failure as
    /// [`JobsError::job_failure`]; [`crate::JobsErrorKind::JobCancelled`] if it was cancelled or has expired;
    /// [`crate::JobsErrorKind::InvalidPayload`] if the result is not an `R`;
    /// [`crate::JobsErrorKind::Timeout`] if it has not ended by then (a retry helps).
    ///
    /// # Cancel safety
    /// Safe to drop and call again.
    pub async fn result(&self, within: Duration) -> Result<R, JobsError>
    where
        R: DeserializeOwned,
    {
        self.outcome(within).await?.into_result()
    }
}

impl<R> fmt::Debug for JobHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

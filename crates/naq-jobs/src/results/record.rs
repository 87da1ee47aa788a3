//! An outcome as a value: decoded, and turned into what the caller asked for.

use serde::de::DeserializeOwned;

use crate::wire::{JobFailure, Outcome, Status};
use crate::{JobsError, JobsErrorKind};

pub(crate) fn parse(subject: &str, body: &[u8]) -> Result<Outcome, JobsError> {
    serde_json::from_slice(body).map_err(|e| {
        JobsError::new(
            JobsErrorKind::Corrupt,
            format!("read the outcome on {subject}"),
        )
        .because(e)
    })
}

impl Outcome {
    /// The result as an `R`, or the failure as an error.
    ///
    /// # Errors
    /// [`JobsErrorKind::JobFailed`], [`JobsErrorKind::JobCancelled`] or [`JobsErrorKind::InvalidPayload`];
    /// [`JobsErrorKind::NotFound`] if the outcome comes from a list and its result is compressed or kept apart, which
    /// [`crate::Results::find`] fetches. A retry does not help.
    pub fn into_result<R: DeserializeOwned>(self) -> Result<R, JobsError> {
        let id = self.id;
        if let Some(failure) = self.error {
            let kind = match self.status {
                Status::Cancelled => JobsErrorKind::JobCancelled,
                Status::Completed | Status::Failed => JobsErrorKind::JobFailed,
            };
            let error = JobsError::new(kind, format!("run job {id}"));
            return Err(error.because(failure));
        }
        if self.result.is_none() && (self.result_ref.is_some() || self.result_zlib.is_some()) {
            let context = format!(
                "read the result of job {id}: it is kept apart, `Results::find` fetches it"
            );
            return Err(JobsError::new(JobsErrorKind::NotFound, context));
        }
        let text = self.result.as_ref().map_or("null", |value| value.get());
        serde_json::from_str(text).map_err(|e| {
            let context = format!("read the result of job {id}");
            JobsError::new(JobsErrorKind::InvalidPayload, context).because(e)
        })
    }
}

impl JobsError {
    /// The failure of the job, if this error is one.
    pub fn job_failure(&self) -> Option<&JobFailure> {
        self.cause()?.downcast_ref()
    }
}

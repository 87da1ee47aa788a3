//! The error that a handler returns.

use std::any::type_name;
use std::fmt;

use crate::wire::{FailureReason, JobFailure};

/// The error of a handler. Any error type turns into one with `?`; the text, the type's name and the causes are kept.
///
/// ```
/// use naq_jobs::JobError;
///
/// fn parse(text: &str) -> Result<u32, JobError> {
///     Ok(text.parse()?)
/// }
/// assert!(parse("x").unwrap_err().to_string().contains("invalid digit"));
/// ```
pub struct JobError(JobFailure);

impl JobError {
    /// An error with only a text; the job is retried as its policy says.
    pub fn message(text: impl Into<String>) -> Self {
        Self(JobFailure::new(FailureReason::Error, text))
    }

    /// An error that no retry can cure: the job goes to the dead letters at once.
    #[must_use]
    pub fn fatal(error: impl Into<Self>) -> Self {
        let mut error = error.into();
        error.0.reason = FailureReason::Fatal;
        error
    }

    pub(super) fn into_failure(self) -> JobFailure {
        self.0
    }
}

impl<E: std::error::Error> From<E> for JobError {
    fn from(error: E) -> Self {
        let mut failure = JobFailure::new(FailureReason::Error, error.to_string());
        failure.error_type = Some(type_name::<E>().to_owned());
        let mut below = error.source();
        while let Some(cause) = below {
            failure.causes.push(cause.to_string());
            below = cause.source();
        }
        Self(failure)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobError")
            .field(&self.0.traceback())
            .finish()
    }
}

//! The error that a handler returns.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::wire::{FailureReason, JobFailure};

/// A job that snoozes for nothing would keep its worker busy.
const SHORTEST_SNOOZE: Duration = Duration::from_millis(10);

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
pub struct JobError(Box<Told>);

/// What a handler says about its end.
pub(in crate::worker) struct Told {
    pub(in crate::worker) failure: JobFailure,
    /// What the handler calls the error.
    pub(in crate::worker) class: Option<Cow<'static, str>>,
    pub(in crate::worker) wish: Wish,
}

/// What the handler wants to become of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum Wish {
    /// What the job's policy says.
    Policy,
    /// A retry, if one is left, after this wait instead of the policy's.
    RetryAfter(Duration),
    /// To run again after this wait; nothing is spent.
    Snooze(Duration),
}

impl JobError {
    /// An error with only a text; the job is retried as its policy says.
    pub fn message(text: impl Into<String>) -> Self {
        Self::of(JobFailure::new(FailureReason::Error, text))
    }

    /// An error that no retry can cure: the job goes to the dead letters at once.
    #[must_use]
    pub fn fatal(error: impl Into<Self>) -> Self {
        let mut error = error.into();
        error.0.failure.reason = FailureReason::Fatal;
        error
    }

    /// Not now: the job runs again after `delay`, at least 10 ms. Neither a retry nor an attempt is spent, however often; a job
    /// with a deadline ends with that.
    ///
    /// From one second on the server holds the job back, and no slot is taken meanwhile.
    pub fn snooze(delay: Duration) -> Self {
        let text = format!("snoozed for {delay:?}");
        let mut error = Self::message(text);
        error.0.wish = Wish::Snooze(delay.max(SHORTEST_SNOOZE));
        error
    }

    /// Nobody needs this job any more: it ends as cancelled, for this reason, without a dead letter.
    pub fn discard(reason: impl Into<String>) -> Self {
        Self::of(JobFailure::new(FailureReason::Cancelled, reason))
    }

    /// Retries after `delay` instead of the policy's wait (as an HTTP `Retry-After` asks); a retry is spent, and must be left.
    ///
    /// ```
    /// use std::time::Duration;
    /// use naq_jobs::JobError;
    ///
    /// fn refused(wait_s: u64) -> JobError {
    ///     JobError::message("429 too many requests").class("http_429").retry_after(Duration::from_secs(wait_s))
    /// }
    /// # drop(refused(3));
    /// ```
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.wish = Wish::RetryAfter(delay);
        self
    }

    /// Names the class of the error, for [`crate::RetryPolicy::retry_on`] and [`crate::RetryPolicy::ignore_on`].
    #[must_use]
    pub fn class(mut self, class: impl Into<Cow<'static, str>>) -> Self {
        self.0.class = Some(class.into());
        self
    }

    /// An error for this failure; `From` would take the failure for somebody else's error.
    pub(in crate::worker) fn of(failure: JobFailure) -> Self {
        Self(Box::new(Told {
            failure,
            class: None,
            wish: Wish::Policy,
        }))
    }

    pub(in crate::worker) fn told(&self) -> &Told {
        &self.0
    }

    pub(in crate::worker) fn into_failure(self) -> JobFailure {
        self.0.failure
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
        Self::of(failure)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.failure.message)
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobError")
            .field(&self.0.failure.traceback())
            .finish()
    }
}

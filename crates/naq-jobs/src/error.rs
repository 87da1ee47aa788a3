//! The error of this crate: what was tried, what kind of failure it was, and why.

use std::fmt;

use naq_connection::{ConnectionError, ConnectionErrorKind};

/// An operation on jobs failed.
#[derive(Debug)]
pub struct JobsError {
    kind: JobsErrorKind,
    context: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobsErrorKind {
    /// A queue, kind or id has an impossible name.
    InvalidName,
    /// The payload has no JSON form, or the result does not have the expected type.
    InvalidPayload,
    /// The job with its headers is larger than the server takes (`max_payload`).
    TooLarge,
    /// The settings ask for something impossible; the message names the key.
    Configuration,
    /// The server is too old or lacks a feature; the message names it.
    Unsupported,
    /// The server could not be reached, or the connection was lost before anything was decided.
    Connection,
    /// No stream takes the message at the moment: it is being made, recovered, or elects a leader.
    Unavailable,
    /// The connection was given up (`nats.max_reconnect_attempts`), refused (credentials, TLS), or shut down.
    Disconnected,
    /// The acknowledgement was lost: the operation may or may not have happened.
    OutcomeUnknown,
    /// There is no such job, outcome or dead letter (or it has expired).
    NotFound,
    /// The job ended without a result; see [`JobsError::job_failure`].
    JobFailed,
    /// The job was cancelled, or had not started before its expiry; see [`JobsError::job_failure`].
    JobCancelled,
    /// The deadline passed.
    Timeout,
    /// Somebody else changed the record first.
    Conflict,
    /// A schedule has an impossible plan, or is in a state in which this cannot be done.
    InvalidSchedule,
    /// A workflow has an impossible graph, or is in a state in which this cannot be done.
    InvalidWorkflow,
    /// There is one of this name already.
    AlreadyExists,
    /// What is stored is not what this version can read.
    Corrupt,
    /// The server refused for another reason; the message has its code.
    Server,
    /// The worker ended against its will.
    Worker,
}

impl JobsError {
    /// "failed to `context`".
    pub(crate) fn new(kind: JobsErrorKind, context: impl Into<String>) -> Self {
        Self {
            kind,
            context: context.into(),
            source: None,
        }
    }

    /// Adds the cause.
    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Wraps an error of the connection, keeping what it says about the outcome.
    pub(crate) fn connection(context: impl Into<String>, error: ConnectionError) -> Self {
        let kind = match error.kind() {
            _ if error.outcome_unknown() => JobsErrorKind::OutcomeUnknown,
            ConnectionErrorKind::Api { .. } if !error.is_transient() => JobsErrorKind::Server,
            ConnectionErrorKind::PayloadTooLarge => JobsErrorKind::TooLarge,
            ConnectionErrorKind::NoResponders => JobsErrorKind::Unavailable,
            ConnectionErrorKind::ReconnectsExhausted
            | ConnectionErrorKind::AuthFailed
            | ConnectionErrorKind::Tls
            | ConnectionErrorKind::InvalidSettings
            | ConnectionErrorKind::ShuttingDown => JobsErrorKind::Disconnected,
            _ => JobsErrorKind::Connection,
        };
        Self::new(kind, context).because(error)
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> JobsErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later. After [`JobsErrorKind::OutcomeUnknown`] retry with the same job id.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            JobsErrorKind::Connection
                | JobsErrorKind::Unavailable
                | JobsErrorKind::OutcomeUnknown
                | JobsErrorKind::Timeout
                | JobsErrorKind::Conflict
        )
    }

    /// What lies right below the message.
    pub(crate) fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.source.as_deref()
    }
}

impl fmt::Display for JobsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.context)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for JobsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The cause is part of the message already; what lies below it is the source.
        self.source.as_deref().and_then(|s| s.source())
    }
}

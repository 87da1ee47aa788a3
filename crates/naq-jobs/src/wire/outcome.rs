//! The outcome: the one record on a job's result subject.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::ObjectRef;

/// How a job ended. One attempt writes it, and nobody overwrites it (a requeued job excepted).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// Version of this record: 1.
    pub v: u32,
    /// The job.
    pub id: String,
    /// Its kind, if it was readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its queue.
    pub queue: String,
    /// Completed, failed or cancelled.
    pub status: Status,
    /// The attempt that ended it, counted from 1.
    pub attempt: u32,
    /// The worker that recorded it.
    pub worker: String,
    /// Names this very recording, so that a worker whose acknowledgement was lost knows its own.
    pub nonce: u64,
    /// Milliseconds since 1970 at which the last attempt started.
    pub started_at_ms: u64,
    /// Milliseconds since 1970 at which it ended.
    pub finished_at_ms: u64,
    /// The result, if completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Where the result is, if it is too large for this record; who reads one outcome gets it with its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_ref: Option<ObjectRef>,
    /// The result as base64 of a zlib stream, if it is compressed; who reads one outcome gets it with its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_zlib: Option<String>,
    /// The failure if failed, the reason if cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobFailure>,
}

/// How a job ended, as a word on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The handler returned a result.
    Completed,
    /// The job is in the dead letters.
    Failed,
    /// Nobody wants it to run any more: cancelled, or not started before its expiry. There is no dead letter.
    Cancelled,
}

impl Status {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a job failed or was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct JobFailure {
    /// The kind of failure.
    pub reason: FailureReason,
    /// The error's own text.
    pub message: String,
    /// The error's Rust type, if the handler returned one.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The causes below it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

/// The kind of failure, as a word on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureReason {
    /// The handler returned an error and no retry was left.
    Error,
    /// The handler said that a retry is useless.
    Fatal,
    /// The handler panicked.
    Panic,
    /// The attempt took longer than its limit.
    Timeout,
    /// The body is no envelope.
    Undecodable,
    /// The envelope is of a newer version.
    UnsupportedVersion,
    /// No handler of the worker is registered for the kind.
    UnknownKind,
    /// The payload does not fit the handler's type.
    InvalidPayload,
    /// The result has no JSON form, or is larger than the server takes.
    InvalidResult,
    /// The job was delivered too often without being settled: its workers died or lost their leases.
    Deliveries,
    /// The payload is kept in the object store, and is missing there, or is not what was stored.
    PayloadMissing,
    /// The time over all its attempts was up.
    Deadline,
    /// Cancelled: it had not started before its expiry.
    Expired,
    /// Cancelled: somebody asked for it.
    Cancelled,
}

impl FailureReason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Fatal => "fatal",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Undecodable => "undecodable",
            Self::UnsupportedVersion => "unsupported_version",
            Self::UnknownKind => "unknown_kind",
            Self::InvalidPayload => "invalid_payload",
            Self::InvalidResult => "invalid_result",
            Self::Deliveries => "deliveries",
            Self::PayloadMissing => "payload_missing",
            Self::Deadline => "deadline",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JobFailure {
    /// A failure without a type or causes.
    pub fn new(reason: FailureReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            error_type: None,
            causes: Vec::new(),
        }
    }

    /// The error with its causes, one per line: what the original calls the traceback.
    pub fn traceback(&self) -> String {
        let mut text = match &self.error_type {
            Some(kind) => format!("{kind}: {}", self.message),
            None => self.message.clone(),
        };
        for cause in &self.causes {
            text.push_str("\n  caused by: ");
            text.push_str(cause);
        }
        text
    }
}

impl Outcome {
    /// Time that the last attempt took.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.finished_at_ms.saturating_sub(self.started_at_ms))
    }

    /// Whether the job completed.
    pub fn is_success(&self) -> bool {
        self.status == Status::Completed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_the_same_word_in_json_and_in_headers() {
        for reason in [
            FailureReason::Error,
            FailureReason::UnsupportedVersion,
            FailureReason::UnknownKind,
            FailureReason::InvalidResult,
            FailureReason::Deliveries,
            FailureReason::PayloadMissing,
            FailureReason::Deadline,
            FailureReason::Expired,
            FailureReason::Cancelled,
        ] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        for status in [Status::Completed, Status::Failed, Status::Cancelled] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn a_traceback_names_type_message_and_causes() {
        let mut failure = JobFailure::new(FailureReason::Error, "no mail");
        failure.error_type = Some("MailError".into());
        failure.causes = vec!["connection refused".into()];
        assert_eq!(
            failure.traceback(),
            "MailError: no mail\n  caused by: connection refused"
        );
    }
}

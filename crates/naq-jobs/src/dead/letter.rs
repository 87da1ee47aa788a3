//! One dead letter, as it is read.

use std::time::SystemTime;

use async_nats::HeaderMap;
use bytes::Bytes;

use super::fingerprint::{fingerprint, normalised};
use crate::model::{JobId, QueueName};
use crate::server::{Stored, read_rfc3339};
use crate::wire::{DeadHeaders, Names, passed_on};

/// A job that was given up, with its payload whole.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The job.
    pub id: JobId,
    /// The queue it came from.
    pub queue: QueueName,
    /// Its kind, if it was readable.
    pub kind: Option<String>,
    /// Why, one of the [`crate::FailureReason`] words.
    pub reason: String,
    /// The last error, one line, shortened; the outcome has it whole.
    pub error: String,
    /// The attempt that was the last.
    pub attempt: u32,
    /// Milliseconds since 1970 at which it was given up.
    pub dead_at_ms: u64,
    /// When the server stored it as it is: when it was given up, or last edited.
    pub stored_at: Option<SystemTime>,
    /// The body, byte for byte as it was enqueued.
    pub body: Bytes,
    pub(super) sequence: u64,
    pub(super) headers: Option<HeaderMap>,
}

impl DeadLetter {
    /// Names the group of letters that died of the same: a hash of reason, kind, and the error without what differs
    /// (numbers, ids, quoted parts). 12 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.reason, self.kind.as_deref(), &self.normalised_error())
    }

    /// The error without what differs from one failure to the next.
    pub fn normalised_error(&self) -> String {
        normalised(&self.error)
    }

    /// The headers of the job that are its sender's own, in no order.
    pub fn sender_headers(&self) -> Vec<(String, String)> {
        let kept = passed_on(self.headers.as_ref());
        let pairs = kept.iter().flat_map(|(name, values)| {
            let name = name.to_string();
            values
                .iter()
                .map(move |value| (name.clone(), value.to_string()))
        });
        pairs.collect()
    }

    pub(crate) fn read(stored: Stored) -> Option<Self> {
        let (queue, id) = Names::parse(&stored.subject)?;
        let (reason, error, kind, attempt, dead_at_ms) = DeadHeaders::read(stored.headers.as_ref());
        Some(Self {
            id,
            queue,
            kind,
            reason,
            error,
            attempt,
            dead_at_ms,
            stored_at: read_rfc3339(&stored.time),
            body: stored.payload,
            sequence: stored.sequence,
            headers: stored.headers,
        })
    }
}

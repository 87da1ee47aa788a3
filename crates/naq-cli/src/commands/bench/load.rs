//! The load: a payload of 100 bytes, the kind of the jobs, and jobs in store.

use naq::{Job, JobError, Jobs, Kind};
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// Bytes of the payload, as JSON.
pub(super) const PAYLOAD: usize = 100;

/// Jobs that are made and sent at a time, so that a million of them are never in memory.
const CHUNK: u64 = 10_000;

/// The kind that every worker of the benchmark runs.
pub(super) const NOOP: Kind<Note, ()> = Kind::new("bench.noop");

/// What a job carries: a number, and text up to [`PAYLOAD`] bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    /// Nanoseconds since the start of the measurement at which it was made, where that matters.
    pub(super) at: u64,
    text: String,
}

impl Note {
    pub(super) fn new(at: u64) -> Self {
        let frame = r#"{"at":,"text":""}"#.len() + at.to_string().len();
        Self {
            at,
            text: "x".repeat(PAYLOAD.saturating_sub(frame)),
        }
    }

    /// The payload on its own, for the raw client.
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A job for `queue`.
pub(super) fn job(queue: &str, keeps_result: bool) -> Result<Job<()>, CliError> {
    let job = NOOP.job(&Note::new(0))?.queue(queue)?;
    Ok(if keeps_result {
        job
    } else {
        job.discard_result()
    })
}

/// Puts `count` jobs into each of the queues, by turns.
pub(super) async fn fill(
    jobs: &Jobs,
    queues: &[String],
    count: u64,
    keeps_result: bool,
) -> Result<(), CliError> {
    let mut names = queues.iter().cycle();
    let mut left = count;
    while left > 0 {
        let size = left.min(CHUNK);
        let queues = names
            .by_ref()
            .take(usize::try_from(size).unwrap_or(usize::MAX));
        let made = queues.filter_map(|queue| job(queue, keeps_result).ok());
        for answer in jobs.enqueue_many(made).await {
            answer?;
        }
        left -= size;
    }
    Ok(())
}

/// The handler: nothing to do.
pub(super) async fn noop() -> Result<(), JobError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_100_bytes() {
        for at in [0, 7, u64::from(u32::MAX)] {
            assert_eq!(Note::new(at).bytes().len(), PAYLOAD);
        }
    }
}

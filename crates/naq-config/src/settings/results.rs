//! Section `results`: how long outcomes are kept.

use std::time::Duration;

use super::Storage;

/// Section `results`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsSettings {
    /// Time that an outcome is kept if its job sets none. Default 7 days, at least 1 s.
    pub ttl: Duration,
    /// Copies of the result stream, 1 to 5. Default 1.
    pub replicas: u8,
    /// Where the result stream is kept. Default file.
    pub storage: Storage,
    /// Size of the result stream after which the oldest outcomes go; `None` (the default) has no limit.
    pub max_bytes: Option<u64>,
    /// Time that progress, partial results and log of a job are kept. Default 1 day, at least 1 s.
    pub notes_ttl: Duration,
    /// Size of the stream of notes after which the oldest go. Default 256 MiB.
    pub notes_max_bytes: u64,
}

impl Default for ResultsSettings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(7 * 24 * 3600),
            replicas: 1,
            storage: Storage::File,
            max_bytes: None,
            notes_ttl: Duration::from_secs(24 * 3600),
            notes_max_bytes: 256 * 1024 * 1024,
        }
    }
}

//! Section `events`: what is told of jobs and workers, and how long it is kept.

use std::time::Duration;

use super::Storage;

/// Section `events`.
#[derive(Debug, Clone, PartialEq)]
pub struct EventsSettings {
    /// Whether events are recorded. Default true; `false` costs nothing.
    pub enabled: bool,
    /// Events that go into one message at the most, 1 to 10000. Default 100.
    pub batch_size: u32,
    /// Longest time that an event waits in its process. Default 250 ms, at least 100 ms.
    pub flush_interval: Duration,
    /// Events that may wait in a process while the server does not take them; beyond it the oldest are dropped and
    /// counted. Default 10000, at least `batch_size`.
    pub max_buffer_size: u32,
    /// First part of the subjects; `None` (the default) is `<queues.prefix>.event`.
    pub subject_prefix: Option<String>,
    /// The stream.
    pub stream: EventStreamSettings,
    /// What is left out.
    pub filters: EventFilters,
}

/// Section `events.stream`.
#[derive(Debug, Clone, PartialEq)]
pub struct EventStreamSettings {
    /// Its name; `None` (the default) is `<queues.prefix>_events`.
    pub name: Option<String>,
    /// Age after which an event is dropped. Default 168 h.
    pub max_age: Duration,
    /// Size after which the oldest events go. Default 1 GB.
    pub max_bytes: u64,
    /// Copies, 1 to 5. Default 1.
    pub replicas: u8,
    /// Where it is kept. Default file.
    pub storage: Storage,
}

/// Section `events.filters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilters {
    /// Whether the signs of life of workers are left out. Default true.
    pub exclude_heartbeats: bool,
    /// Attempts that complete in less time leave no `started` and no `completed`. Default 0: none is left out.
    pub min_job_duration: Duration,
}

impl Default for EventsSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            batch_size: 100,
            flush_interval: Duration::from_millis(250),
            max_buffer_size: 10_000,
            subject_prefix: None,
            stream: EventStreamSettings::default(),
            filters: EventFilters::default(),
        }
    }
}

impl Default for EventStreamSettings {
    fn default() -> Self {
        Self {
            name: None,
            max_age: Duration::from_secs(168 * 3600),
            max_bytes: 1_000_000_000,
            replicas: 1,
            storage: Storage::File,
        }
    }
}

impl Default for EventFilters {
    fn default() -> Self {
        Self {
            exclude_heartbeats: true,
            min_job_duration: Duration::ZERO,
        }
    }
}

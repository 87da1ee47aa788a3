//! Section `queues`: where jobs wait, and for how long a worker may hold one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Rate;

/// Section `queues`.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuesSettings {
    /// Queue of a job that names none. Default `naq_default_queue`.
    pub default: String,
    /// First part of every stream and subject name. Default `naq`.
    pub prefix: String,
    /// Time that a worker may hold a job without renewing its lease. Default 30 s, at least 1 s.
    pub ack_wait: Duration,
    /// Deliveries of one message after which a job that is never settled goes to the dead letters. Default 3.
    pub max_deliver: u32,
    /// Jobs of one queue that may be leased at the same time, over all workers. Default 10000.
    pub max_ack_pending: u32,
    /// Copies of the job and dead letter streams, 1 to 5. Default 1.
    pub replicas: u8,
    /// Where the job and dead letter streams are kept. Default file.
    pub storage: Storage,
    /// Age after which a waiting job is dropped, unseen; `None` (the default) keeps it for ever.
    pub max_age: Option<Duration>,
    /// Time after which a job whose kind no worker knows goes to the dead letters. Default 1 h.
    pub unknown_kind_after: Duration,
    /// Settings of the dead letters.
    pub dead_letters: DeadLetterSettings,
    /// What differs for single queues, by queue name.
    pub configs: BTreeMap<String, QueueOverrides>,
}

/// Section `queues.dead_letters`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetterSettings {
    /// Age after which a dead letter is dropped; `None` (the default) keeps it for ever.
    pub max_age: Option<Duration>,
}

/// Section `queues.configs.<queue>`: what differs from the section above.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueOverrides {
    /// See [`QueuesSettings::ack_wait`].
    pub ack_wait: Option<Duration>,
    /// See [`QueuesSettings::max_deliver`].
    pub max_deliver: Option<u32>,
    /// See [`QueuesSettings::max_ack_pending`].
    pub max_ack_pending: Option<u32>,
    /// Jobs of the queue that one worker runs at the same time; `None` (the default): as many as it has slots.
    pub concurrency: Option<u32>,
    /// Jobs of one limit key that run at the same time, over all workers; `None` (the default): no limit.
    pub max_running_per_key: Option<u32>,
    /// Starts of jobs of the queue, over all workers; `None` (the default): no limit.
    pub rate: Option<Rate>,
    /// Starts of jobs of one limit key, over all workers; `None` (the default): no limit.
    pub rate_per_key: Option<Rate>,
}

/// Where the server keeps a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// On disk.
    #[default]
    File,
    /// In memory: gone when the server stops.
    Memory,
}

impl QueuesSettings {
    /// The lease time of `queue`.
    pub fn ack_wait_of(&self, queue: &str) -> Duration {
        self.configs
            .get(queue)
            .and_then(|c| c.ack_wait)
            .unwrap_or(self.ack_wait)
    }

    /// The delivery limit of `queue`.
    pub fn max_deliver_of(&self, queue: &str) -> u32 {
        self.configs
            .get(queue)
            .and_then(|c| c.max_deliver)
            .unwrap_or(self.max_deliver)
    }

    /// The limit of leased jobs of `queue`.
    pub fn max_ack_pending_of(&self, queue: &str) -> u32 {
        self.configs
            .get(queue)
            .and_then(|c| c.max_ack_pending)
            .unwrap_or(self.max_ack_pending)
    }
}

impl Default for QueuesSettings {
    fn default() -> Self {
        Self {
            default: "naq_default_queue".to_owned(),
            prefix: "naq".to_owned(),
            ack_wait: Duration::from_secs(30),
            max_deliver: 3,
            max_ack_pending: 10_000,
            replicas: 1,
            storage: Storage::File,
            max_age: None,
            unknown_kind_after: Duration::from_secs(3600),
            dead_letters: DeadLetterSettings::default(),
            configs: BTreeMap::new(),
        }
    }
}

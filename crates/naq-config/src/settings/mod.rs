//! The settings, one file per section of the configuration file.

mod events;
mod nats;
mod payloads;
mod queues;
mod rate;
mod results;
mod workers;

pub use events::{EventFilters, EventStreamSettings, EventsSettings};
pub use nats::{Auth, NatsSettings, Tls};
pub use payloads::{Compression, PayloadsSettings};
pub use queues::{DeadLetterSettings, QueueOverrides, QueuesSettings, Storage};
pub use rate::{InvalidRate, Rate};
pub use results::ResultsSettings;
pub use workers::{CommandHandler, PoolSettings, WorkersSettings};

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// How to reach the NATS servers.
    pub nats: NatsSettings,
    /// Where jobs wait, and for how long a worker may hold one.
    pub queues: QueuesSettings,
    /// How jobs are run.
    pub workers: WorkersSettings,
    /// How long outcomes are kept.
    pub results: ResultsSettings,
    /// What is too large for a message.
    pub payloads: PayloadsSettings,
    /// What is told of jobs and workers.
    pub events: EventsSettings,
}

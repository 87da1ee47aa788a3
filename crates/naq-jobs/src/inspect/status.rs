//! The status of a job.

use std::time::{Duration, SystemTime};

use crate::wire::Outcome;
use crate::workflow::FlowPlace;

/// Where a job is, as its messages say.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum JobStatus {
    /// It waits for a worker.
    Waiting {
        /// When the server got it; after a retry or a release: when it came back.
        since: SystemTime,
        /// Jobs that come before it. `None` if nobody ever served the queue, or if more than 100,000 wait: counting them would cost the server more than the
        /// answer is worth (half a second for a million).
        ahead: Option<u64>,
    },
    /// A worker has it.
    Running {
        /// The worker; `None` if none shows it: it was just taken (a worker shows its jobs twice a second), or
        /// the worker is dead and the lease has not lapsed.
        worker: Option<String>,
        /// When the attempt started, by the worker's clock.
        since: Option<SystemTime>,
        /// The attempt, from 1.
        attempt: Option<u32>,
        /// The time without a sign of life after which it goes to another worker.
        lease: Duration,
    },
    /// It is due later.
    Scheduled {
        /// When; `None` if its schedule is none of ours.
        due: Option<SystemTime>,
        /// The retry that this will be; 0: it was enqueued for later, or snoozed before it ever failed.
        retry: u32,
        /// Retries that it has.
        retries: u32,
    },
    /// It was put aside until it is released.
    Parked {
        /// Why: `key-...` (a limit), `kind-...` (its kind is paused, or nobody knows it).
        why: String,
    },
    /// It has ended: see the outcome's status.
    Ended {
        /// What became of it; `None` if it has expired and only the dead letter is left.
        outcome: Option<Box<Outcome>>,
        /// Whether there is a dead letter, which can be retried.
        has_dead_letter: bool,
    },
    /// No job of this id is stored, but the id is that of a workflow or of a node of one: it waits for others, never ran, or
    /// its job was removed.
    Flow(Box<FlowPlace>),
    /// Nothing is stored of it: it never was, its outcome has expired, or it completed without keeping one.
    Unknown,
}

impl JobStatus {
    /// One word, as the original has them: `pending`, `running`, `scheduled`, `retry`, `paused`, `completed`, `failed`,
    /// `cancelled`; and `unknown`. A node without a job is `waiting`, `removed`, or as it has ended (also `skipped`); a
    /// workflow is `running`, `stopping`, or as it has ended.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "pending",
            Self::Running { .. } => "running",
            Self::Scheduled { retry: 0, .. } => "scheduled",
            Self::Scheduled { .. } => "retry",
            Self::Parked { .. } => "paused",
            Self::Ended { outcome, .. } => outcome
                .as_ref()
                .map_or("failed", |outcome| outcome.status.as_str()),
            Self::Flow(place) => place.word(),
            Self::Unknown => "unknown",
        }
    }

    /// Whether it will not run (again) by itself.
    pub fn is_ended(&self) -> bool {
        match self {
            Self::Ended { .. } | Self::Unknown => true,
            Self::Flow(place) => place.has_ended(),
            _ => false,
        }
    }
}

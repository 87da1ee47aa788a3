//! What is known when a reason is looked for.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::reason::ms;
use crate::inspect::JobStatus;
use crate::model::JobId;

/// What is known of a job and its surroundings, at one time.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The job.
    pub id: JobId,
    /// When it was looked at, by this host's clock.
    pub now: SystemTime,
    /// Where it is.
    pub status: JobStatus,
    /// Its queue.
    pub queue: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// Until when it waits for the rate of its queue or key, if it was booked.
    pub is_booked: bool,
    /// What holds up its queue.
    pub queue_hold: Option<Hold>,
    /// What holds up its kind.
    pub kind_hold: Option<Hold>,
    /// Jobs of its queue that are in hand, and how many may be; 0: as many as there are slots.
    pub in_flight: (u64, u64),
    /// The text of its limit key, and the jobs that hold the places of it.
    pub limit: Option<(String, Vec<PlaceHolder>)>,
    /// The jobs that hold the places of its kind, if it was put aside for one.
    pub kind_holders: Vec<PlaceHolder>,
    /// When it comes back by itself, if it was put aside.
    pub comes_back: Option<SystemTime>,
    /// The limit of its queue over all workers, and the jobs that count.
    pub queue_limit: Option<(u32, Vec<PlaceHolder>)>,
    /// The job before whose end it does not start, if it was kept back for one.
    pub after: Option<String>,
    /// The workers that serve its queue.
    pub workers: Vec<WorkerFact>,
    /// The error of its dead letter.
    pub dead: Option<(String, String)>,
    /// What could not be read.
    pub unread: Vec<String>,
}

/// A job that counts for a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceHolder {
    /// Its id.
    pub job: String,
    /// The worker that shows it as running.
    pub worker: Option<String>,
    /// Since when, by the worker's clock.
    #[serde(serialize_with = "ms", rename = "since_ms")]
    pub since: Option<SystemTime>,
}

/// Somebody has paused something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hold {
    /// Since when, by the clock of who did it.
    pub since: Option<SystemTime>,
    /// Why.
    pub reason: Option<String>,
    /// Who did it.
    pub by: Option<String>,
}

/// A worker that serves the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerFact {
    /// Its id.
    pub id: String,
    /// Time since its last sign of life.
    pub silent: Duration,
    /// Whether that is longer than two of its heartbeats.
    pub is_stale: bool,
    /// Whether it takes no more jobs.
    pub is_stopping: bool,
    /// Whether it has a handler for the kind; `None` if it does not say, or the kind is unreadable.
    pub knows_kind: Option<bool>,
    /// Jobs that it runs.
    pub running: usize,
    /// Jobs that it may run.
    pub slots: u32,
}

impl WorkerFact {
    /// Whether it can be counted on.
    pub(super) fn counts(&self) -> bool {
        !self.is_stale && !self.is_stopping
    }
}

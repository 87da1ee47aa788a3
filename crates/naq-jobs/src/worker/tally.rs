//! What a worker has done since its start.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts how jobs left the worker.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) completed: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) retried: AtomicU64,
    pub(super) snoozed: AtomicU64,
    pub(super) handed_back: AtomicU64,
    pub(super) abandoned: AtomicU64,
    pub(super) parked: AtomicU64,
}

/// How a job left this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Its result is recorded.
    Completed,
    /// It is in the dead letters.
    Failed,
    /// Nobody wants it any more; that is recorded.
    Cancelled,
    /// Its retry is scheduled.
    Retried,
    /// It was put off.
    Snoozed,
    /// It waits until it may run.
    Parked,
    /// As parked, because of a limit.
    Limited,
    /// It is back in the queue.
    HandedBack,
    /// Settled by somebody else, before.
    Elsewhere,
    /// Not settled here: it is or will be another worker's.
    Abandoned,
}

/// What a worker did, counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopReport {
    /// Jobs that it completed.
    pub completed: u64,
    /// Jobs that it gave up (dead letters).
    pub failed: u64,
    /// Jobs that it stopped because they were cancelled.
    pub cancelled: u64,
    /// Retries that it scheduled or made.
    pub retried: u64,
    /// Jobs that it let the server bring back later, at their handler's wish.
    pub snoozed: u64,
    /// Jobs that it handed back when it stopped.
    pub handed_back: u64,
    /// Jobs that it could not settle; the server delivers them again after `ack_wait`.
    pub abandoned: u64,
    /// Jobs that it put aside because they could not run yet: a limit, a paused kind, a kind that it does not know.
    pub parked: u64,
}

impl Left {
    /// Whether the job is over here and the server is to be told.
    pub(super) fn needs_ack(self) -> bool {
        match self {
            Self::Completed
            | Self::Failed
            | Self::Cancelled
            | Self::Retried
            | Self::Snoozed
            | Self::Parked
            | Self::Limited
            | Self::Elsewhere => true,
            Self::HandedBack | Self::Abandoned => false,
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Retried => "will be retried",
            Self::Snoozed => "snoozes",
            Self::Parked => "waits until it may run",
            Self::Limited => "waits until its limit lets it run",
            Self::HandedBack => "handed back",
            Self::Elsewhere => "was settled before",
            Self::Abandoned => "left to another worker",
        })
    }
}

impl Tally {
    pub(super) fn count(&self, left: Left) {
        let counter = match left {
            Left::Completed => &self.completed,
            Left::Failed => &self.failed,
            Left::Cancelled => &self.cancelled,
            Left::Retried => &self.retried,
            Left::Snoozed => &self.snoozed,
            Left::Parked | Left::Limited => &self.parked,
            Left::HandedBack => &self.handed_back,
            Left::Abandoned => &self.abandoned,
            Left::Elsewhere => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn report(&self) -> StopReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StopReport {
            completed: read(&self.completed),
            failed: read(&self.failed),
            cancelled: read(&self.cancelled),
            retried: read(&self.retried),
            snoozed: read(&self.snoozed),
            handed_back: read(&self.handed_back),
            abandoned: read(&self.abandoned),
            parked: read(&self.parked),
        }
    }
}

//! What makes a job the only one of its kind.

use std::time::Duration;

/// One job for one key, as long as its policy says. A key belongs to the queue of the job.
///
/// ```
/// use naq_jobs::{Job, Unique};
///
/// let job = Job::from_payload("invoice", &17).unwrap().unique(Unique::key("invoice-17"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    pub(crate) key: String,
    pub(crate) policy: Policy,
}

/// When a key is taken, and what happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    UntilDone,
    Within(Duration),
    Replace,
    Debounce(Duration),
    Throttle(Duration),
}

/// What became of a job that was enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Landing {
    /// It is in the queue.
    New,
    /// Its key was taken, or its id is known: nothing was enqueued, the handle is that of the job that is there.
    Existing,
    /// A job that waited has its payload and options now; the handle is that of this job.
    Replaced,
}

impl Unique {
    /// Until the job has ended: as long as it waits, is due later, runs, or waits for a retry. The server refuses a
    /// second one; no time is guessed. A key is 1 to 256 bytes without control characters.
    pub fn key(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            policy: Policy::UntilDone,
        }
    }

    /// Until the job has ended, and for `window` after its enqueue at the least, in whole seconds, at least one.
    #[must_use]
    pub fn within(self, window: Duration) -> Self {
        self.with(Policy::Within(window))
    }

    /// As until done, but a job that waits gets the payload and the options of the new one, under its old id. One that
    /// is due already stays due. One that runs is left alone.
    #[must_use]
    pub fn replace(self) -> Self {
        self.with(Policy::Replace)
    }

    /// Runs once `wait` after the last enqueue, with its payload: each enqueue moves the job that waits, under its old
    /// id. While one runs, a new one is made beside it.
    #[must_use]
    pub fn debounce(self, wait: Duration) -> Self {
        self.with(Policy::Debounce(wait))
    }

    /// At most one in each `window`, in whole seconds, at least one, whatever still waits or runs.
    #[must_use]
    pub fn throttle(self, window: Duration) -> Self {
        self.with(Policy::Throttle(window))
    }

    fn with(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
}

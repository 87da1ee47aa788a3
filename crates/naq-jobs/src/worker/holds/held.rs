//! One held lease, as the table and the job share it.

use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::lease::Lease;
use crate::model::{JobId, QueueName};
use crate::worker::JobContext;
use crate::worker::signal::Signal;

/// The job's id and its sequence in the stream. (A stream that was made anew counts from 1 again, so the sequence alone
/// would not do.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: JobId,
    pub(super) sequence: u64,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // It tells nearly all apart.
        self.sequence.hash(state);
    }
}

/// Shared by the table and the job, so that the job needs no look into the table.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) key: Key,
    pub(super) queue: QueueName,
    pub(super) now: Mutex<Now>,
    pub(super) moved: Notify,
    pub(super) lost: Signal,
}

#[derive(Debug)]
pub(super) struct Now {
    pub(super) lease: Lease,
    pub(super) reply: Subject,
    /// Another delivery has taken its place.
    pub(super) is_replaced: bool,
    /// The attempt that runs, and since when, in milliseconds since 1970.
    pub(super) running: Option<(JobContext, u64)>,
}

impl Held {
    /// It was delivered again; `false` if the lease has lapsed before.
    pub(super) fn prolong(&self, reply: &Subject, now: Instant, ack_wait: Duration) -> bool {
        let mut state = self.lock();
        if self.lost.is_given() || state.lease.check(now) {
            return false;
        }
        state.lease = Lease::new(now, ack_wait);
        state.reply = reply.clone();
        drop(state);
        self.moved.notify_one();
        true
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

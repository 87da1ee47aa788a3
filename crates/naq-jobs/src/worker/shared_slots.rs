//! The slots of a worker behind a lock, with a bell for those who wait for one.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::slots::Slots;

/// The slots of a worker, shared by its queues.
#[derive(Debug, Clone)]
pub(super) struct SharedSlots(Arc<(Mutex<Slots>, Notify)>);

impl SharedSlots {
    pub(super) fn new(capacity: u32, lanes: usize) -> Self {
        Self(Arc::new((
            Mutex::new(Slots::new(capacity, lanes)),
            Notify::new(),
        )))
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Slots) -> T) -> T {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A slot became free: all queues look again.
    pub(super) fn freed(&self, change: impl FnOnce(&mut Slots)) {
        self.with(change);
        self.0.1.notify_waiters();
    }

    /// A job arrived on `lane`: its slot runs until the guard is dropped.
    pub(super) fn take(&self, lane: usize) -> Slot {
        self.with(|slots| slots.arrived(lane));
        Slot {
            slots: self.clone(),
            lane,
        }
    }

    /// Completes at the next [`Self::freed`]; to be enabled before looking at the slots, so that none is missed.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.0.1.notified()
    }
}

/// Gives a slot back when the job has left it.
pub(super) struct Slot {
    slots: SharedSlots,
    lane: usize,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.freed(|slots| slots.finished(self.lane));
    }
}

//! The lines of all queues of a worker, and a job that stands in one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::order::{Line, Rank, Waiter};
use crate::control::QueueOrder;
use crate::model::QueueName;

/// The lines of all queues.
#[derive(Debug, Default)]
pub(in crate::worker) struct Lines {
    queues: Mutex<HashMap<QueueName, Line>>,
    /// All who wait: jobs look at this before they ask for the lock.
    count: AtomicUsize,
    /// Those who ever came.
    tickets: AtomicU64,
}

/// A job in line; dropping it leaves the line.
#[derive(Debug)]
pub(in crate::worker) struct Standing<'a> {
    lines: &'a Lines,
    queue: QueueName,
    pub(super) rank: Rank,
    bell: Arc<Notify>,
    /// Nobody stood here when it came.
    was_empty: bool,
    has_place: bool,
}

impl Lines {
    /// Whether no job of `queue` waits.
    pub(in crate::worker) fn is_empty(&self, queue: &QueueName) -> bool {
        self.count.load(Ordering::Acquire) == 0 || !self.lock().contains_key(queue)
    }

    /// Goes to the end of those of its priority. `is_called`: it will ask for a place right away.
    pub(in crate::worker) fn join(
        &self,
        queue: &QueueName,
        order: QueueOrder,
        (priority, sequence): (usize, u64),
        is_called: bool,
    ) -> Standing<'_> {
        let rank = (
            priority,
            sequence,
            self.tickets.fetch_add(1, Ordering::Relaxed),
        );
        let bell = Arc::new(Notify::new());
        let mut queues = self.lock();
        let line = queues.entry(queue.clone()).or_default();
        line.order = order;
        let was_empty = line.waiting.is_empty();
        let waiter = Waiter {
            bell: Arc::clone(&bell),
            is_called,
        };
        line.waiting.insert(rank, waiter);
        self.count.fetch_add(1, Ordering::AcqRel);
        drop(queues);
        Standing {
            lines: self,
            queue: queue.clone(),
            rank,
            bell,
            was_empty,
            has_place: false,
        }
    }

    /// A place of `queue` is free: calls one.
    pub(in crate::worker) fn call(&self, queue: &QueueName, order: QueueOrder) {
        self.change(queue, |line| {
            line.order = order;
            line.call();
        });
    }

    /// Nobody knows what is free in `queue`: lets them look, one after the other.
    pub(in crate::worker) fn look(&self, queue: &QueueName) {
        self.change(queue, Line::look);
    }

    /// The best priority in `queue` that could go now, 0 is the highest.
    pub(in crate::worker) fn best(&self, queue: &QueueName) -> Option<usize> {
        let mut best = None;
        self.change(queue, |line| {
            let first = line.waiting.keys().next().filter(|_| !line.wants_slot);
            best = first.map(|rank| rank.0);
        });
        best
    }

    /// A slot is free.
    pub(in crate::worker) fn slot_is_free(&self) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        for line in self.lock().values_mut().filter(|line| line.wants_slot) {
            line.wants_slot = false;
            line.look();
        }
    }

    fn change(&self, queue: &QueueName, change: impl FnOnce(&mut Line)) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(line) = self.lock().get_mut(queue) {
            change(line);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Line>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing<'_> {
    /// Completes when it is called.
    pub(in crate::worker) async fn called(&self) {
        self.bell.notified().await;
    }

    /// Whether one that comes first has come meanwhile; it is called instead.
    pub(in crate::worker) fn hands_over(&self) -> bool {
        let mut handed = false;
        self.change(|line| handed = line.hand_over(self.rank));
        handed
    }

    /// It was called, and there is no place.
    pub(in crate::worker) fn found_none(&self) {
        self.change(|line| line.found_none(self.rank));
    }

    /// It was called, and there is no slot for it, nor for anybody else: the calls wait for one.
    pub(in crate::worker) fn has_no_slot(&self) {
        self.change(|line| {
            line.is_called(self.rank, false);
            line.wants_slot = true;
        });
    }

    /// Whether nobody stood here when it came: a call just before that has found nobody.
    pub(in crate::worker) fn was_empty(&self) -> bool {
        self.was_empty
    }

    /// It leaves the line with a place.
    pub(in crate::worker) fn enters(mut self) {
        self.has_place = true;
    }

    fn change(&self, change: impl FnOnce(&mut Line)) {
        self.lines.change(&self.queue, change);
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut queues = self.lines.lock();
        if let Some(line) = queues.get_mut(&self.queue) {
            line.leave(self.rank, self.has_place);
            if line.waiting.is_empty() {
                queues.remove(&self.queue);
            }
        }
        self.lines.count.fetch_sub(1, Ordering::AcqRel);
    }
}

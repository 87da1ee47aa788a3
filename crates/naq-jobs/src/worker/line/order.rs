//! Who is called next in the line of one queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::control::QueueOrder;
use crate::worker::slots::WEIGHTS;

/// The priority of a job, 0 is the highest, its sequence in the stream, and a number of its own: a delivery that has lost its
/// lease may stand here beside the next one of the same job, and takes only itself away.
pub(super) type Rank = (usize, u64, u64);

/// Who waits for a place of one queue.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) waiting: BTreeMap<Rank, Waiter>,
    pub(super) order: QueueOrder,
    /// A call has found nobody to be called.
    is_call_kept: bool,
    /// There may be more places than one: who gets one calls the next.
    may_be_more: bool,
    /// Somebody was called and had no slot.
    pub(super) wants_slot: bool,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) bell: Arc<Notify>,
    pub(super) is_called: bool,
}

impl Line {
    pub(super) fn call(&mut self) {
        let next = match self.order {
            // One after the other, or a later one might find the place that an earlier one has just missed.
            QueueOrder::Strict if self.waiting.values().any(|w| w.is_called) => None,
            QueueOrder::Strict => self.first(),
            QueueOrder::Weighted => self.drawn(fastrand::f64()),
        };
        match next {
            Some(rank) => self.call_one(rank),
            None => self.is_call_kept = true,
        }
    }

    pub(super) fn look(&mut self) {
        self.may_be_more = true;
        self.call();
    }

    fn call_one(&mut self, rank: Rank) {
        if let Some(waiter) = self.waiting.get_mut(&rank) {
            waiter.is_called = true;
            waiter.bell.notify_one();
        }
    }

    /// The first who is not called.
    fn first(&self) -> Option<Rank> {
        let mut waiting = self.waiting.iter();
        let first = waiting.find(|(_, waiter)| !waiter.is_called);
        first.map(|(rank, _)| *rank)
    }

    /// The first of a priority that is drawn by the weights; `chance` is 0 to 1.
    pub(super) fn drawn(&self, chance: f64) -> Option<Rank> {
        let first = |rank: usize| {
            let mut of_rank = self.waiting.range((rank, 0, 0)..(rank + 1, 0, 0));
            of_rank.find(|(_, waiter)| !waiter.is_called)
        };
        let firsts: Vec<_> = (0..WEIGHTS.len())
            .filter_map(first)
            .map(|(rank, _)| (f64::from(WEIGHTS[rank.0]), *rank))
            .collect();
        let mut left = chance * firsts.iter().map(|(weight, _)| weight).sum::<f64>();
        let hit = firsts.iter().find(|(weight, _)| {
            left -= weight;
            left < 0.0
        });
        hit.or(firsts.last()).map(|(_, rank)| *rank)
    }

    pub(super) fn is_called(&mut self, rank: Rank, is_called: bool) {
        if let Some(waiter) = self.waiting.get_mut(&rank) {
            waiter.is_called = is_called;
        }
    }

    /// Calls who comes before `rank` instead of it, if there is anybody.
    pub(super) fn hand_over(&mut self, rank: Rank) -> bool {
        let before = self.first().filter(|first| *first < rank);
        let Some(before) = before.filter(|_| self.order == QueueOrder::Strict) else {
            return false;
        };
        self.is_called(rank, false);
        self.call_one(before);
        true
    }

    /// `rank` was called and found no place.
    pub(super) fn found_none(&mut self, rank: Rank) {
        self.is_called(rank, false);
        self.may_be_more = false;
        if std::mem::take(&mut self.is_call_kept) {
            self.call();
        }
    }

    /// `rank` leaves.
    pub(super) fn leave(&mut self, rank: Rank, has_place: bool) {
        let was_called = self.waiting.remove(&rank).is_some_and(|w| w.is_called);
        let is_owed = match has_place {
            true => self.may_be_more || self.is_call_kept,
            // Whatever it was called for is somebody else's.
            false => was_called,
        };
        if is_owed {
            // As many as were kept, so the next one goes on with it.
            self.may_be_more |= std::mem::take(&mut self.is_call_kept);
            self.call();
        }
    }
}

//! Jobs of this worker that wait for a place of their queue, under their lease and without a slot.
//!
//! ```text
//!   delivered ── a place is free ──────────────► RUNS ── ends ──► one is called, here and in the other workers
//!       │ none, or others wait here                ▲
//!       │                                          │ a place and a slot are free
//!       │             next in the order            │
//!       └──► IN LINE ────────────────────────► CALLED ── one that comes first stands here by now: it is called instead
//!               ▲                                  │
//!               └── no place, or no slot ──────────┘
//! ```
//!
//! * Who is called asks the server, so nobody is called without need: at the end of a job one is, and if nobody knows what is
//!   free (settings, a new connection, a third of a lease) one after the other as long as each gets a place.
//! * Who has no slot is called again when one is free.
//! * Strict: one at a time is called. A call that comes meanwhile is kept: for that one, should it find no place, or for the next.
//!
//! Their number is bounded: the server hands out only some more jobs of each priority than the limit of the queue.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::slots::WEIGHTS;
use crate::control::QueueOrder;
use crate::model::QueueName;

/// The priority of a job, 0 is the highest, its sequence in the stream, and a number of its own: a delivery that has lost its
/// lease may stand here beside the next one of the same job, and takes only itself away.
type Rank = (usize, u64, u64);

/// The lines of all queues.
#[derive(Debug, Default)]
pub(super) struct Lines {
    queues: Mutex<HashMap<QueueName, Line>>,
    /// All who wait: jobs look at this before they ask for the lock.
    count: AtomicUsize,
    /// Those who ever came.
    tickets: AtomicU64,
}

/// Who waits for a place of one queue.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<Rank, Waiter>,
    order: QueueOrder,
    /// A call has found nobody to be called.
    is_call_kept: bool,
    /// There may be more places than one: who gets one calls the next.
    may_be_more: bool,
    /// Somebody was called and had no slot.
    wants_slot: bool,
}

#[derive(Debug)]
struct Waiter {
    bell: Arc<Notify>,
    is_called: bool,
}

/// A job in line; dropping it leaves the line.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    lines: &'a Lines,
    queue: QueueName,
    rank: Rank,
    bell: Arc<Notify>,
    /// Nobody stood here when it came.
    was_empty: bool,
    has_place: bool,
}

impl Lines {
    /// Whether no job of `queue` waits.
    pub(super) fn is_empty(&self, queue: &QueueName) -> bool {
        self.count.load(Ordering::Acquire) == 0 || !self.lock().contains_key(queue)
    }

    /// Goes to the end of those of its priority. `is_called`: it will ask for a place right away.
    pub(super) fn join(
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
    pub(super) fn call(&self, queue: &QueueName, order: QueueOrder) {
        self.change(queue, |line| {
            line.order = order;
            line.call();
        });
    }

    /// Nobody knows what is free in `queue`: lets them look, one after the other.
    pub(super) fn look(&self, queue: &QueueName) {
        self.change(queue, Line::look);
    }

    /// A slot is free.
    pub(super) fn slot_is_free(&self) {
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

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Line>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn call(&mut self) {
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

    fn look(&mut self) {
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
    fn drawn(&self, chance: f64) -> Option<Rank> {
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

    fn is_called(&mut self, rank: Rank, is_called: bool) {
        if let Some(waiter) = self.waiting.get_mut(&rank) {
            waiter.is_called = is_called;
        }
    }

    /// Calls who comes before `rank` instead of it, if there is anybody.
    fn hand_over(&mut self, rank: Rank) -> bool {
        let before = self.first().filter(|first| *first < rank);
        let Some(before) = before.filter(|_| self.order == QueueOrder::Strict) else {
            return false;
        };
        self.is_called(rank, false);
        self.call_one(before);
        true
    }

    /// `rank` was called and found no place.
    fn found_none(&mut self, rank: Rank) {
        self.is_called(rank, false);
        self.may_be_more = false;
        if std::mem::take(&mut self.is_call_kept) {
            self.call();
        }
    }

    /// `rank` leaves.
    fn leave(&mut self, rank: Rank, has_place: bool) {
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

impl Standing<'_> {
    /// Completes when it is called.
    pub(super) async fn called(&self) {
        self.bell.notified().await;
    }

    /// Whether one that comes first has come meanwhile; it is called instead.
    pub(super) fn hands_over(&self) -> bool {
        let mut handed = false;
        self.change(|line| handed = line.hand_over(self.rank));
        handed
    }

    /// It was called, and there is no place.
    pub(super) fn found_none(&self) {
        self.change(|line| line.found_none(self.rank));
    }

    /// It was called, and there is no slot for it, nor for anybody else: the calls wait for one.
    pub(super) fn has_no_slot(&self) {
        self.change(|line| {
            line.is_called(self.rank, false);
            line.wants_slot = true;
        });
    }

    /// Whether nobody stood here when it came: a call just before that has found nobody.
    pub(super) fn was_empty(&self) -> bool {
        self.was_empty
    }

    /// Its priority, 0 is the highest.
    pub(super) fn priority(&self) -> usize {
        self.rank.0
    }

    /// It leaves the line with a place.
    pub(super) fn enters(mut self) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    fn mail() -> QueueName {
        QueueName::new("mail").unwrap()
    }

    fn is_called(standing: &Standing<'_>) -> bool {
        standing.called().now_or_never().is_some()
    }

    fn join(lines: &Lines, rank: (usize, u64)) -> Standing<'_> {
        lines.join(&mail(), QueueOrder::Strict, rank, false)
    }

    #[test]
    fn the_highest_priority_is_called_first_and_of_that_the_oldest() {
        let lines = Lines::default();
        let low = join(&lines, (2, 1));
        let younger = join(&lines, (0, 9));
        let older = join(&lines, (0, 4));
        lines.call(&mail(), QueueOrder::Strict);
        assert!(is_called(&older) && !is_called(&younger) && !is_called(&low));
        older.enters();
        lines.call(&mail(), QueueOrder::Strict);
        assert!(is_called(&younger) && !is_called(&low));
        younger.enters();
        lines.call(&mail(), QueueOrder::Strict);
        assert!(is_called(&low));
        assert!(!lines.is_empty(&mail()));
        low.enters();
        assert!(lines.is_empty(&mail()));
        let kept = lines.lock();
        assert!(kept.is_empty(), "nothing is kept of a line that is empty");
    }

    #[test]
    fn a_delivery_that_leaves_does_not_take_the_next_one_of_its_job_away() {
        let lines = Lines::default();
        let (lapsed, next) = (join(&lines, (1, 7)), join(&lines, (1, 7)));
        drop(lapsed);
        lines.look(&mail());
        assert!(is_called(&next));
    }

    #[test]
    fn who_is_called_lets_one_go_first_that_has_come_meanwhile() {
        let lines = Lines::default();
        let low = join(&lines, (2, 1));
        lines.call(&mail(), QueueOrder::Strict);
        assert!(is_called(&low) && !low.hands_over());
        let high = join(&lines, (0, 9));
        assert!(low.hands_over() && is_called(&high));
        assert!(!low.hands_over(), "it is called no more, and high is");
        high.enters();
        lines.call(&mail(), QueueOrder::Strict);
        assert!(is_called(&low));
    }

    #[test]
    fn places_of_an_unknown_number_are_taken_one_after_the_other_in_order() {
        let lines = Lines::default();
        let [first, second, third] = [(0, 1), (0, 2), (1, 3)].map(|rank| join(&lines, rank));
        lines.look(&mail());
        assert!(is_called(&first) && !is_called(&second));
        first.enters();
        assert!(is_called(&second) && !is_called(&third));
        second.found_none();
        assert!(!is_called(&third) && !is_called(&second));
        lines.call(&mail(), QueueOrder::Strict);
        second.enters();
        assert!(!is_called(&third), "one place, one call");
    }

    #[test]
    fn who_has_no_slot_is_called_when_one_is_free() {
        let lines = Lines::default();
        let only = join(&lines, (1, 1));
        lines.slot_is_free();
        assert!(!is_called(&only), "it was not for want of a slot");
        lines.call(&mail(), QueueOrder::Strict);
        assert!(is_called(&only));
        only.has_no_slot();
        lines.slot_is_free();
        assert!(is_called(&only));
    }

    #[test]
    fn the_weights_decide_among_those_who_are_there() {
        let lines = Lines::default();
        let weighted = |rank| lines.join(&mail(), QueueOrder::Weighted, (rank, 1), false);
        let standings = [0, 1, 2].map(weighted);
        let counts = || {
            let mut counts = [0; 3];
            for chance in 0..90 {
                let drawn = lines.lock()[&mail()].drawn(f64::from(chance) / 90.0);
                counts[drawn.unwrap().0] += 1;
            }
            counts
        };
        assert_eq!(counts(), [60, 20, 10]);
        let [high, ..] = standings;
        high.enters();
        assert_eq!(counts(), [0, 60, 30]);
    }

    /// Lets one act that is called: it lets another one go first, finds no place, or takes one.
    fn act(lines: &Lines, waiting: &mut Vec<Standing<'_>>, free: &mut usize) -> bool {
        let called =
            |standing: &Standing<'_>| lines.lock()[&mail()].waiting[&standing.rank].is_called;
        let Some(one) = waiting.iter().position(called) else {
            return false;
        };
        if !waiting[one].hands_over() {
            match free.checked_sub(1) {
                None => waiting[one].found_none(),
                Some(left) => {
                    *free = left;
                    waiting.swap_remove(one).enters();
                }
            }
        }
        true
    }

    proptest! {
        #[test]
        fn no_call_is_lost(steps in proptest::collection::vec((0_u8..6, 0_usize..3), 0..100)) {
            let lines = Lines::default();
            let (mut waiting, mut free, mut sequence) = (Vec::new(), 0_usize, 0);
            for (what, n) in steps {
                match what {
                    0 | 1 => {
                        sequence += 1;
                        waiting.push(join(&lines, (n, sequence)));
                    }
                    2 if !waiting.is_empty() => {
                        free += 1;
                        lines.call(&mail(), QueueOrder::Strict);
                    }
                    // It leaves for another reason.
                    3 if n < waiting.len() => drop(waiting.swap_remove(n)),
                    _ => drop(act(&lines, &mut waiting, &mut free)),
                }
                if waiting.is_empty() {
                    free = 0;
                }
            }
            while act(&lines, &mut waiting, &mut free) {}
            prop_assert!(free == 0 || waiting.is_empty(), "{free} free, {lines:?}");
        }
    }
}

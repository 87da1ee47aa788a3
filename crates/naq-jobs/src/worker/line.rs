//! Jobs of this worker that wait for a place of their queue, under their lease and without a slot.
//!
//! ```text
//!   delivered ── a place is free ───────────────────────────► RUNS ── ends ──► one is called, here and elsewhere
//!       │ none, or others wait here                             ▲
//!       └──► IN LINE ── called, or a third of the lease over ───┘ if a place and a slot are free then
//! ```
//!
//! Their number is bounded: the server hands out no more jobs of each priority than the limit of the queue.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::slots::WEIGHTS;
use crate::control::QueueOrder;
use crate::model::QueueName;

/// The priority of a job, 0 is the highest, and its sequence in the stream.
type Rank = (usize, u64);

/// The lines of all queues.
#[derive(Debug, Default)]
pub(super) struct Lines {
    queues: Mutex<HashMap<QueueName, Line>>,
    /// All who wait: jobs look at this before they ask for the lock.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Line(BTreeMap<Rank, Arc<Notify>>);

/// A job in line; dropping it leaves the line.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    lines: &'a Lines,
    queue: QueueName,
    rank: Rank,
    bell: Arc<Notify>,
}

impl Lines {
    /// Whether no job of `queue` waits.
    pub(super) fn is_empty(&self, queue: &QueueName) -> bool {
        self.count.load(Ordering::Acquire) == 0 || !self.lock().contains_key(queue)
    }

    /// Goes to the end of those of its priority.
    pub(super) fn join(&self, queue: &QueueName, rank: Rank) -> Standing<'_> {
        let bell = Arc::new(Notify::new());
        let mut queues = self.lock();
        let line = queues.entry(queue.clone()).or_default();
        line.0.insert(rank, Arc::clone(&bell));
        self.count.fetch_add(1, Ordering::AcqRel);
        drop(queues);
        Standing {
            lines: self,
            queue: queue.clone(),
            rank,
            bell,
        }
    }

    /// A place of `queue` is free: calls one.
    pub(super) fn call(&self, queue: &QueueName, order: QueueOrder) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(line) = self.lock().get(queue) {
            line.call(order, fastrand::f64());
        }
    }

    /// A slot is free, or nobody knows what has happened: calls all.
    pub(super) fn call_all(&self) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        for bell in self.lock().values().flat_map(|line| line.0.values()) {
            bell.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Line>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Calls who is next; `chance` is 0 to 1.
    fn call(&self, order: QueueOrder, chance: f64) {
        let next = match order {
            QueueOrder::Strict => self.0.values().next(),
            QueueOrder::Weighted => self.drawn(chance),
        };
        if let Some(bell) = next {
            bell.notify_one();
        }
    }

    /// The first of a priority that is drawn by the weights.
    fn drawn(&self, chance: f64) -> Option<&Arc<Notify>> {
        let firsts: Vec<_> = (0..WEIGHTS.len())
            .filter_map(|rank| self.0.range((rank, 0)..(rank + 1, 0)).next())
            .map(|((rank, _), bell)| (f64::from(WEIGHTS[*rank]), bell))
            .collect();
        let mut left = chance * firsts.iter().map(|(weight, _)| weight).sum::<f64>();
        let hit = firsts.iter().find(|(weight, _)| {
            left -= weight;
            left < 0.0
        });
        hit.or(firsts.last()).map(|(_, bell)| *bell)
    }
}

impl Standing<'_> {
    /// Completes when it is called.
    pub(super) async fn called(&self) {
        self.bell.notified().await;
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut queues = self.lines.lock();
        if let Some(line) = queues.get_mut(&self.queue) {
            line.0.remove(&self.rank);
            if line.0.is_empty() {
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

    fn is_called(standing: &Standing<'_>) -> bool {
        standing.called().now_or_never().is_some()
    }

    #[test]
    fn the_highest_priority_is_called_first_and_of_that_the_oldest() {
        let (lines, queue) = (Lines::default(), QueueName::new("mail").unwrap());
        let low = lines.join(&queue, (2, 1));
        let younger = lines.join(&queue, (0, 9));
        let older = lines.join(&queue, (0, 4));
        lines.call(&queue, QueueOrder::Strict);
        assert!(is_called(&older) && !is_called(&younger) && !is_called(&low));
        drop(older);
        lines.call(&queue, QueueOrder::Strict);
        assert!(is_called(&younger) && !is_called(&low));
        drop(younger);
        lines.call(&queue, QueueOrder::Strict);
        assert!(is_called(&low));
        assert!(!lines.is_empty(&queue));
        drop(low);
        assert!(lines.is_empty(&queue));
        assert!(
            lines.lock().is_empty(),
            "nothing is kept of a line that is empty"
        );
    }

    #[test]
    fn the_weights_decide_among_those_who_are_there() {
        let (lines, queue) = (Lines::default(), QueueName::new("mail").unwrap());
        let standings = [0, 1, 2].map(|rank| lines.join(&queue, (rank, 1)));
        let counts = |lines: &Lines| {
            let mut counts = [0; 3];
            for chance in 0..90 {
                lines.lock()[&queue].call(QueueOrder::Weighted, f64::from(chance) / 90.0);
                for (rank, standing) in standings.iter().enumerate() {
                    counts[rank] += i32::from(is_called(standing));
                }
            }
            counts
        };
        assert_eq!(counts(&lines), [60, 20, 10]);
        lines.lock().get_mut(&queue).unwrap().0.remove(&(0, 1));
        assert_eq!(counts(&lines), [0, 60, 30]);
    }
}

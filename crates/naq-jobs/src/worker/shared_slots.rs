//! The slots of a worker behind a lock, with a bell for each lane that waits for one.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::line::Lines;
use super::slots::{Ask, LEVELS, QueueTerms, Slots};

/// The slots of a worker, shared by its queues.
#[derive(Debug, Clone)]
pub(super) struct SharedSlots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    slots: Mutex<Slots>,
    /// One for each lane; each has one listener, and one that rings early is not missed.
    bells: Vec<Notify>,
    /// Those who wait for a place may have had no slot for it.
    lines: Arc<Lines>,
}

impl SharedSlots {
    pub(super) fn new(capacity: u32, queues: usize, lines: Arc<Lines>) -> Self {
        Self(Arc::new(Shared {
            slots: Mutex::new(Slots::new(capacity, queues)),
            bells: (0..queues * LEVELS).map(|_| Notify::new()).collect(),
            lines,
        }))
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Slots) -> T) -> T {
        change(&mut self.0.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Slots of `lane` became free: the lanes that can use them look again.
    pub(super) fn freed(&self, lane: usize, change: impl FnOnce(&mut Slots)) {
        self.with(|slots| {
            let taken = slots.taken();
            change(slots);
            self.ring_callers(slots, lane, taken);
        });
    }

    /// The slots are other ones from now on: all queues look again.
    pub(super) fn resize(&self, capacity: u32, terms: impl Iterator<Item = QueueTerms>) {
        self.with(|slots| slots.resize(capacity, terms));
        for bell in &self.0.bells {
            bell.notify_one();
        }
        self.0.lines.slot_is_free();
    }

    /// What `lane` asks for now.
    pub(super) fn grant(&self, lane: usize) -> Ask {
        self.with(|slots| {
            let ask = slots.grant(lane);
            if ask.count > 0 {
                self.ring_those_without(slots, lane);
            }
            if ask.count > 0 && slots.is_full(lane) {
                // It keeps nobody back that comes before it.
                self.ring_callers(slots, lane, slots.taken());
            }
            ask
        })
    }

    /// The priority of `lane` is used from now on.
    pub(super) fn open(&self, lane: usize) {
        self.freed(lane, |slots| {
            slots.open(lane);
            self.ring_those_without(slots, lane);
        });
    }

    /// After a change of `lane`, before which so many slots were `taken`.
    fn ring_callers(&self, slots: &Slots, lane: usize, taken: u32) {
        for caller in slots.callers(lane, taken) {
            self.0.bells[caller].notify_one();
        }
    }

    fn ring_those_without(&self, slots: &Slots, lane: usize) {
        for other in slots.without_slot(lane) {
            self.0.bells[other].notify_one();
        }
    }

    /// A job arrived on `lane`: its slot runs until the guard is dropped.
    pub(super) fn take(&self, lane: usize) -> Slot {
        self.with(|slots| {
            slots.arrived(lane);
            self.ring_those_without(slots, lane);
        });
        Slot {
            slots: self.clone(),
            lane,
            is_held: true,
        }
    }

    /// Completes when `lane` should look at the slots again.
    pub(super) async fn changed(&self, lane: usize) {
        self.0.bells[lane].notified().await;
    }
}

/// Gives a slot back when the job has left it.
pub(super) struct Slot {
    slots: SharedSlots,
    lane: usize,
    is_held: bool,
}

impl Slot {
    /// The rank of the job's priority, 0 is the highest.
    pub(super) fn rank(&self) -> usize {
        self.lane % LEVELS
    }

    /// Gives it back while the job waits in line.
    pub(super) fn pause(&mut self) {
        if std::mem::take(&mut self.is_held) {
            let lane = self.lane;
            self.slots.freed(lane, |slots| slots.paused(lane));
            self.slots.0.lines.slot_is_free();
        }
    }

    /// Whether one is free.
    pub(super) fn has_room(&self) -> bool {
        self.slots.with(|slots| slots.has_room())
    }

    /// Takes it again, if one is free.
    pub(super) fn resume(&mut self) -> bool {
        if !self.is_held && self.has_room() {
            self.resume_anyway();
        }
        self.is_held
    }

    /// Takes it again.
    pub(super) fn resume_anyway(&mut self) {
        if !std::mem::replace(&mut self.is_held, true) {
            let lane = self.lane;
            self.slots.with(|slots| {
                slots.resumed(lane);
                self.slots.ring_those_without(slots, lane);
            });
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (lane, is_held) = (self.lane, self.is_held);
        self.slots.freed(lane, |slots| match is_held {
            true => slots.finished(lane),
            false => slots.left_line(lane),
        });
        if is_held {
            self.slots.0.lines.slot_is_free();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::QueueOrder;
    use crate::model::{Priority, QueueName};
    use futures::FutureExt;

    #[test]
    fn who_had_no_slot_is_called_when_another_one_goes_in_line_or_there_are_more() {
        let (lines, queue) = (Arc::new(Lines::default()), QueueName::new("mail").unwrap());
        let slots = SharedSlots::new(1, 1, Arc::clone(&lines));
        let lane = Slots::lane(0, Priority::Normal);
        let is_called_after = |waits: &Slot, free: &mut dyn FnMut()| {
            let standing = lines.join(&queue, QueueOrder::Strict, (1, 1), true);
            assert!(!waits.has_room());
            standing.has_no_slot();
            assert!(standing.called().now_or_never().is_none());
            free();
            standing.called().now_or_never().is_some()
        };
        let (mut waits, mut arrives) = (slots.take(lane), slots.take(lane));
        waits.pause();
        assert!(is_called_after(&waits, &mut || arrives.pause()));
        let mut ends = Some(slots.take(lane));
        assert!(is_called_after(&waits, &mut || drop(ends.take())));
        let _runs = slots.take(lane);
        let mut more = || slots.resize(2, std::iter::once(QueueTerms::default()));
        assert!(is_called_after(&waits, &mut more));
    }
}

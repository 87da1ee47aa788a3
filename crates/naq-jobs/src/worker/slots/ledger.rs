//! The slots of all queues, and their sums.

use super::queue::{Ask, LEVELS, Lane, NORMAL, Queue, QueueTerms};
use crate::model::Priority;

/// The slots of a worker.
#[derive(Debug)]
pub(in crate::worker) struct Slots {
    capacity: u32,
    pub(super) queues: Vec<Queue>,
    /// Slots that are asked for or running, of all queues.
    used: u32,
    /// Queues that have none of them. Counted, since a worker may have a thousand queues.
    idle: u32,
    /// Lanes that have nothing out and could get nothing.
    hungry: u32,
}

impl Slots {
    /// `capacity` slots for so many `queues`.
    pub(in crate::worker) fn new(capacity: u32, queues: usize) -> Self {
        Self {
            capacity,
            queues: vec![Queue::new(); queues],
            used: 0,
            idle: u32::try_from(queues).unwrap_or(u32::MAX),
            hungry: 0,
        }
    }

    /// The lane of a priority of a queue.
    pub(in crate::worker) fn lane(queue: usize, priority: Priority) -> usize {
        let rank = match priority {
            Priority::High => 0,
            Priority::Normal => NORMAL,
            Priority::Low => 2,
        };
        queue * LEVELS + rank
    }

    /// The priority of `lane` is used from now on.
    pub(in crate::worker) fn open(&mut self, lane: usize) {
        self.change(lane, |queue, rank| {
            let had_levels = queue.has_levels();
            queue.lanes[rank].is_open = true;
            // Nobody knows yet what is there: all look, the first one first. A request that stays open does not say what is
            // there before its end, and the others would wait for that.
            for lane in queue.lanes.iter_mut().filter(|lane| lane.is_open) {
                let is_brief = had_levels && lane.is_warm;
                lane.is_outdated = lane.asked > 0 && !is_brief;
                lane.is_warm = true;
            }
        });
    }

    /// What `lane` may ask for now. Takes it.
    pub(in crate::worker) fn grant(&mut self, lane: usize) -> Ask {
        let ask = self.worth_asking(lane);
        self.change(lane, |queue, rank| {
            queue.lanes[rank].asked += ask.count;
            queue.lanes[rank].is_hungry = queue.lanes[rank].asked == 0;
            if ask.no_wait {
                queue.share.spend(rank, ask.count);
            }
        });
        ask
    }

    /// What `lane` should ask for now.
    ///
    /// A request costs a message, so while some are still asked for, small rests are saved up.
    fn worth_asking(&self, lane: usize) -> Ask {
        let Some(queue) = self.queues.get(lane / LEVELS) else {
            return Ask::default();
        };
        let free = self.free_for(queue);
        if queue.has_levels() {
            return queue.ask(lane % LEVELS, free);
        }
        let state = &queue.lanes[lane % LEVELS];
        let (worth_it, is_shared) = ((self.capacity / 4).max(1), self.is_shared());
        let count = match state.asked {
            _ if !state.is_open => 0,
            0 if state.is_warm || !is_shared => free,
            0 => free.min(1),
            _ if state.is_warm && free >= worth_it => free,
            _ => 0,
        };
        Ask {
            count,
            no_wait: false,
        }
    }

    /// Slots that no queue can get besides its own: those in use, and one for each queue that has none.
    pub(in crate::worker) fn taken(&self) -> u32 {
        self.used + self.idle
    }

    /// The lanes that should look again, after a change of `lane`, before which so many slots were `taken`.
    ///
    /// A slot that goes back to a queue which then has none is kept for it, so it is nothing to the other queues. A worker with as many
    /// queues as slots would else wake all of them for each job.
    pub(in crate::worker) fn callers(
        &self,
        lane: usize,
        taken: u32,
    ) -> impl Iterator<Item = usize> {
        let own = (self.worth_asking(lane).count > 0).then_some(lane);
        let first = lane - lane % LEVELS;
        let others = match self.hungry {
            0 => 0..0,
            _ if self.taken() < taken => 0..self.queues.len() * LEVELS,
            _ => first..first + LEVELS,
        };
        let hungry = move |other: &usize| *other != lane && self.state(*other).is_hungry;
        own.into_iter().chain(others.filter(hungry))
    }

    /// Lanes of the queue of `lane` whose open requests have no slot any more.
    pub(in crate::worker) fn without_slot(&self, lane: usize) -> impl Iterator<Item = usize> {
        let first = lane - lane % LEVELS;
        (first..first + LEVELS).filter(|lane| self.has_excess(*lane))
    }

    /// Jobs that `lane` has asked for.
    pub(in crate::worker) fn asked(&self, lane: usize) -> u32 {
        let queue = self.queues.get(lane / LEVELS);
        queue.map_or(0, |queue| queue.lanes[lane % LEVELS].asked)
    }

    /// Whether there is more than one queue.
    pub(in crate::worker) fn is_shared(&self) -> bool {
        self.queues.len() > 1
    }

    /// What is neither used nor kept for another queue. Requests of the queue that wait do not count.
    fn free_for(&self, queue: &Queue) -> u32 {
        let used = self.used - queue.used() + queue.firm();
        let kept = self.idle - u32::from(queue.used() == 0);
        let free = self.capacity.saturating_sub(used).saturating_sub(kept);
        match queue.terms.cap {
            Some(cap) => free.min(cap.saturating_sub(queue.firm())),
            None => free,
        }
    }

    /// The slots of the worker, and what is set for each queue, are other ones from now on. Jobs that run keep theirs.
    pub(in crate::worker) fn resize(
        &mut self,
        capacity: u32,
        terms: impl Iterator<Item = QueueTerms>,
    ) {
        self.capacity = capacity;
        for (queue, terms) in self.queues.iter_mut().zip(terms) {
            queue.terms = terms;
        }
    }

    /// Whether `lane` has asked for jobs that now have no slot.
    pub(in crate::worker) fn has_excess(&self, lane: usize) -> bool {
        let Some(queue) = self.queues.get(lane / LEVELS) else {
            return false;
        };
        let state = &queue.lanes[lane % LEVELS];
        let used = self.used - queue.used() + queue.firm();
        let cap = queue.terms.cap.unwrap_or(u32::MAX);
        let is_over = state.asked > 0
            && match queue.has_levels() && !state.is_warm {
                // It waits: for it there has to be one that is free.
                true => used >= self.capacity || queue.firm() >= cap,
                false => used > self.capacity || queue.firm() > cap,
            };
        is_over || state.is_outdated
    }

    /// A job arrived on `lane`. One that was not asked for (asked before a reconnect) still counts as running.
    pub(in crate::worker) fn arrived(&mut self, lane: usize) {
        self.change(lane, |queue, rank| {
            let state = &mut queue.lanes[rank];
            state.asked = state.asked.saturating_sub(1);
            state.is_outdated &= state.asked > 0;
            state.running += 1;
            if !state.is_warm {
                queue.share.wake(rank);
            }
            queue.lanes[rank].is_warm = true;
            queue.look_again(rank);
        });
    }

    /// A job of `lane` gives its slot back and waits in line.
    pub(in crate::worker) fn paused(&mut self, lane: usize) {
        self.finished(lane);
        self.change(lane, |queue, rank| queue.lanes[rank].in_line += 1);
    }

    /// A job of `lane` that waited in line has left it.
    pub(in crate::worker) fn left_line(&mut self, lane: usize) {
        self.change(lane, |queue, rank| {
            let state = &mut queue.lanes[rank];
            state.in_line = state.in_line.saturating_sub(1);
        });
    }

    /// A job of `lane` that waited in line has a slot again.
    pub(in crate::worker) fn resumed(&mut self, lane: usize) {
        self.left_line(lane);
        self.change(lane, |queue, rank| queue.lanes[rank].running += 1);
    }

    /// Whether jobs of `lane` are here.
    pub(in crate::worker) fn is_working(&self, lane: usize) -> bool {
        let queue = self.queues.get(lane / LEVELS);
        queue.is_some_and(|queue| {
            let lane = &queue.lanes[lane % LEVELS];
            lane.running + lane.in_line > 0
        })
    }

    /// Whether `lane` has asked for all that the server gives out.
    pub(in crate::worker) fn is_full(&self, lane: usize) -> bool {
        let queue = self.queues.get(lane / LEVELS);
        queue.is_some_and(|queue| queue.is_full(lane % LEVELS))
    }

    /// `count` jobs that `lane` asked for will not come.
    pub(in crate::worker) fn returned(&mut self, lane: usize, count: u32) {
        self.change(lane, |queue, rank| {
            let state = &mut queue.lanes[rank];
            if state.is_warm {
                queue.share.refund(rank, count.min(state.asked));
            }
            state.asked = state.asked.saturating_sub(count);
            state.is_outdated &= state.asked > 0;
            state.is_warm = false;
        });
    }

    /// The requests of `lane` were withdrawn, so nobody knows what is there.
    pub(in crate::worker) fn withdrawn(&mut self, lane: usize, count: u32) {
        self.returned(lane, count);
        self.change(lane, |queue, rank| {
            queue.lanes[rank].is_warm = queue.has_levels();
        });
    }

    /// A job of `lane` has been settled.
    pub(in crate::worker) fn finished(&mut self, lane: usize) {
        self.change(lane, |queue, rank| {
            let state = &mut queue.lanes[rank];
            state.running = state.running.saturating_sub(1);
        });
    }

    /// Changes one queue and keeps the sums.
    fn change(&mut self, lane: usize, change: impl FnOnce(&mut Queue, usize)) {
        let Some(queue) = self.queues.get_mut(lane / LEVELS) else {
            return;
        };
        let before = (queue.used(), queue.hungry());
        change(queue, lane % LEVELS);
        let after = (queue.used(), queue.hungry());
        self.used = self.used - before.0 + after.0;
        self.idle = self.idle - u32::from(before.0 == 0) + u32::from(after.0 == 0);
        self.hungry = self.hungry - before.1 + after.1;
    }

    pub(super) fn state(&self, lane: usize) -> &Lane {
        &self.queues[lane / LEVELS].lanes[lane % LEVELS]
    }

    /// Whether fewer jobs run than may.
    pub(in crate::worker) fn has_room(&self) -> bool {
        self.running() < self.capacity
    }

    /// Jobs that run.
    fn running(&self) -> u32 {
        let lanes = self.queues.iter().flat_map(|queue| &queue.lanes);
        lanes.map(|lane| lane.running).sum()
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;

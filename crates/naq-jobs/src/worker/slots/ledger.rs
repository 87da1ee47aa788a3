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
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The slots of queues that have the normal priority only.
    struct Plain(Slots);

    fn lane(queue: usize) -> usize {
        Slots::lane(queue, Priority::Normal)
    }

    impl Plain {
        fn new(capacity: u32, queues: usize) -> Self {
            Self(Slots::new(capacity, queues))
        }

        fn grant(&mut self, queue: usize) -> u32 {
            self.0.grant(lane(queue)).count
        }

        fn arrived(&mut self, queue: usize) {
            self.0.arrived(lane(queue));
        }

        fn returned(&mut self, queue: usize, count: u32) {
            self.0.returned(lane(queue), count);
        }

        fn finished(&mut self, queue: usize) {
            self.0.finished(lane(queue));
        }

        /// What it could ask for now.
        fn worth(&self, queue: usize) -> u32 {
            self.0.worth_asking(lane(queue)).count
        }

        /// As [`Self::finished`]; says which queues look again.
        fn freed(&mut self, queue: usize) -> Vec<usize> {
            let taken = self.0.taken();
            self.finished(queue);
            let callers = self.0.callers(lane(queue), taken);
            callers.map(|lane| lane / LEVELS).collect()
        }

        fn state(&self, queue: usize) -> Lane {
            *self.0.state(lane(queue))
        }
    }

    #[test]
    fn a_single_queue_gets_everything() {
        let mut slots = Plain::new(10, 1);
        assert_eq!(slots.grant(0), 10);
        assert_eq!(slots.grant(0), 0);
        for _ in 0..10 {
            slots.arrived(0);
        }
        slots.finished(0);
        assert_eq!(slots.grant(0), 1);
        assert_eq!(slots.0.running(), 9);
    }

    #[test]
    fn small_rests_are_saved_up_while_a_request_is_out() {
        let mut slots = Plain::new(100, 1);
        assert_eq!(slots.grant(0), 100);
        slots.arrived(0);
        slots.finished(0);
        assert_eq!(slots.grant(0), 0);
        for _ in 0..24 {
            slots.arrived(0);
            slots.finished(0);
        }
        assert_eq!(slots.grant(0), 25);
    }

    #[test]
    fn a_quiet_queue_keeps_one_slot_and_no_more() {
        let mut slots = Plain::new(8, 3);
        for lane in 0..3 {
            assert_eq!(slots.grant(lane), 1, "nobody knows yet who is busy");
        }
        slots.arrived(0);
        assert_eq!(slots.grant(0), 5);
        for _ in 0..5 {
            slots.arrived(0);
        }
        assert_eq!(slots.grant(0), 0);
        slots.returned(1, 1);
        assert_eq!(slots.grant(0), 0, "kept for the quiet one");
        assert_eq!(slots.grant(1), 1);
        slots.finished(0);
        assert_eq!(slots.grant(0), 1);
    }

    #[test]
    fn a_queue_that_went_quiet_gives_its_slots_to_the_others() {
        let mut slots = Plain::new(8, 2);
        assert_eq!((slots.grant(0), slots.grant(1)), (1, 1));
        slots.arrived(0);
        assert_eq!(slots.grant(0), 6);
        slots.finished(0);
        slots.returned(0, 6);
        assert_eq!(slots.grant(0), 1);
        slots.arrived(1);
        assert_eq!(slots.grant(1), 6);
    }

    #[test]
    fn who_got_nothing_is_called_when_another_queue_has_finished_something() {
        let mut slots = Plain::new(3, 2);
        assert_eq!(slots.grant(0), 1);
        slots.arrived(0);
        assert_eq!(slots.grant(0), 1, "one is kept for the other queue");
        slots.arrived(0);
        assert_eq!(slots.grant(1), 1);
        slots.arrived(1);
        assert_eq!((slots.grant(0), slots.grant(1)), (0, 0));
        assert_eq!(slots.freed(0), [0, 1]);
        assert_eq!(slots.grant(0), 1);
    }

    #[test]
    fn a_queue_that_gets_its_only_slot_back_wakes_no_other() {
        let mut slots = Plain::new(3, 3);
        for queue in 0..3 {
            assert_eq!(slots.grant(queue), 1);
            slots.arrived(queue);
            assert_eq!(slots.grant(queue), 0);
        }
        assert_eq!(slots.freed(1), [1], "the slot is kept for it");
        assert_eq!((slots.grant(0), slots.grant(1)), (0, 1));
    }

    #[test]
    fn a_resize_takes_effect_on_what_is_asked_and_leaves_what_runs() {
        let mut slots = Plain::new(4, 1);
        assert_eq!(slots.grant(0), 4);
        slots.arrived(0);
        slots.arrived(0);
        slots.0.resize(1, std::iter::once(QueueTerms::default()));
        assert!(
            slots.0.has_excess(lane(0)),
            "two are asked for, and there is no slot"
        );
        slots.returned(0, 2);
        assert!(
            !slots.0.has_excess(lane(0)),
            "running jobs keep their slots"
        );
        slots.finished(0);
        assert_eq!(slots.grant(0), 0);
        slots.0.resize(
            6,
            std::iter::once(QueueTerms {
                cap: Some(3),
                ..QueueTerms::default()
            }),
        );
        assert_eq!(slots.grant(0), 2, "the queue itself may have three");
        slots.0.resize(6, std::iter::once(QueueTerms::default()));
        slots.returned(0, 2);
        assert_eq!(slots.grant(0), 5);
    }

    #[test]
    fn a_priority_that_is_used_for_the_first_time_is_asked_for_at_once() {
        let mut slots = Slots::new(4, 1);
        let [_, normal, low] = [0, 1, 2];
        assert_eq!(slots.grant(normal).count, 4, "a request that stays open");
        slots.open(low);
        assert!(slots.has_excess(normal), "it is withdrawn");
        slots.withdrawn(normal, 4);
        assert!(!slots.has_excess(normal) && slots.grant(low).count == 0);
        assert!(slots.grant(normal).no_wait);
        slots.returned(normal, 4);
        assert_eq!(slots.grant(low).count, 4);
    }

    #[test]
    fn a_lane_of_which_no_more_is_given_out_hears_of_higher_ones_and_keeps_lower_ones_back() {
        let mut slots = Slots::new(4, 1);
        let terms = QueueTerms {
            given: Some(2),
            ..QueueTerms::default()
        };
        slots.resize(4, std::iter::once(terms));
        let [high, normal, low] = [0, 1, 2];
        slots.open(high);
        slots.open(low);
        slots.grant(high);
        slots.returned(high, 2);
        assert_eq!(slots.grant(normal).count, 2, "as many as are given out");
        slots.arrived(normal);
        slots.grant(high);
        slots.returned(high, 2);
        slots.arrived(normal);
        slots.paused(normal);
        slots.grant(high);
        slots.returned(high, 2);
        assert_eq!(slots.grant(normal).count, 0, "one runs, one is in line");
        assert_eq!(slots.grant(low).count, 0);
        let open = slots.grant(high);
        assert_eq!((open.count, open.no_wait), (1, false));
        slots.left_line(normal);
        assert_eq!(slots.grant(normal).count, 1);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Grant(usize),
        Arrived(usize),
        Returned(usize, u32),
        Finished(usize),
    }

    fn steps(lanes: usize) -> impl Strategy<Value = Vec<Step>> {
        let step = (0..4_u8, 0..lanes, 0..5_u32).prop_map(|(what, lane, n)| match what {
            0 => Step::Grant(lane),
            1 => Step::Arrived(lane),
            2 => Step::Returned(lane, n),
            _ => Step::Finished(lane),
        });
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn never_more_than_the_capacity_is_out(capacity in 3_u32..20, steps in steps(3)) {
            let mut slots = Plain::new(capacity, 3);
            for step in steps {
                match step {
                    Step::Grant(lane) => { slots.grant(lane); }
                    // Only what was asked for arrives here; a surplus is tested with the worker.
                    Step::Arrived(lane) if slots.state(lane).asked > 0 => slots.arrived(lane),
                    Step::Arrived(_) => {}
                    Step::Returned(lane, n) => slots.returned(lane, n),
                    Step::Finished(lane) => {
                        let before: Vec<u32> = (0..3).map(|queue| slots.worth(queue)).collect();
                        let callers = slots.freed(lane);
                        // Who is not called has nothing more to get than before.
                        for queue in (0..3).filter(|queue| !callers.contains(queue)) {
                            let is_fed = !slots.state(queue).is_hungry;
                            prop_assert!(is_fed || slots.worth(queue) <= before[queue]);
                        }
                    }
                }
                let used: u32 = slots.0.queues.iter().map(Queue::used).sum();
                prop_assert!(used <= capacity);
                prop_assert_eq!(slots.0.used, used);
                let idle = slots.0.queues.iter().filter(|queue| queue.used() == 0).count();
                prop_assert_eq!(slots.0.idle, u32::try_from(idle).unwrap());
            }
            // Whatever happened: once all jobs are finished, each queue can ask again.
            for lane in 0..3 {
                while slots.state(lane).running > 0 { slots.finished(lane); }
                slots.returned(lane, u32::MAX);
            }
            for lane in 0..3 {
                prop_assert!(slots.grant(lane) >= 1);
            }
        }
    }
}

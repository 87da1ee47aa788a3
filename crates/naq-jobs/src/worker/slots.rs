//! Who may ask the server for how many jobs: pure bookkeeping.
//!
//! A worker has `capacity` slots for all its queues. A slot is free, *asked for* (a pull request for it is out) or
//! *running*. The sum never exceeds the capacity, so nothing is fetched that cannot start at once, and each queue
//! keeps one slot (asked for or running), so a busy queue cannot shut out a quiet one. Nor can a quiet one keep slots
//! from a busy one: only a queue whose last request brought a job asks for more than one.
//!
//! ```text
//!            grant                 arrived
//!   FREE ───────────► ASKED FOR ───────────► RUNNING
//!    ▲                    │                     │
//!    └────── returned ────┴────── finished ─────┘
//! ```

/// The slots of a worker.
#[derive(Debug)]
pub(super) struct Slots {
    capacity: u32,
    lanes: Vec<Lane>,
    /// Slots that are asked for or running, of all queues.
    used: u32,
    /// Queues that have none of them. Counted, since a worker may have a thousand queues.
    idle: u32,
    /// Queues that have nothing out and could get nothing.
    hungry: u32,
}

/// The slots of one queue.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    asked: u32,
    running: u32,
    /// The last that was heard is a job, not the end of a request without one.
    is_warm: bool,
    is_hungry: bool,
    /// The most of them, if it is limited.
    cap: Option<u32>,
}

impl Lane {
    fn used(&self) -> u32 {
        self.asked + self.running
    }
}

impl Slots {
    /// `capacity` slots for `lanes` queues.
    pub(super) fn new(capacity: u32, lanes: usize) -> Self {
        Self {
            capacity,
            lanes: vec![Lane::default(); lanes],
            used: 0,
            idle: u32::try_from(lanes).unwrap_or(u32::MAX),
            hungry: 0,
        }
    }

    /// How many more jobs queue `lane` may ask for now. Takes them.
    pub(super) fn grant(&mut self, lane: usize) -> u32 {
        let count = self.worth_asking(lane);
        self.change(lane, |state| {
            state.asked += count;
            state.is_hungry = state.asked == 0;
        });
        count
    }

    /// How many more jobs queue `lane` should ask for now.
    ///
    /// A request costs a message, so while some are still asked for, small rests are saved up.
    fn worth_asking(&self, lane: usize) -> u32 {
        let free = self.free_for(lane);
        let (worth_it, is_shared) = ((self.capacity / 4).max(1), self.is_shared());
        let Some(state) = self.lanes.get(lane) else {
            return 0;
        };
        match state.asked {
            0 if state.is_warm || !is_shared => free,
            0 => free.min(1),
            _ if state.is_warm && free >= worth_it => free,
            _ => 0,
        }
    }

    /// The queues that should look again, after slots of `lane` became free.
    pub(super) fn callers(&self, lane: usize) -> impl Iterator<Item = usize> {
        let own = (self.worth_asking(lane) > 0).then_some(lane);
        let others = if self.hungry > 0 { self.lanes.len() } else { 0 };
        let hungry = move |other: &usize| *other != lane && self.lanes[*other].is_hungry;
        own.into_iter().chain((0..others).filter(hungry))
    }

    /// Whether there is more than one queue.
    pub(super) fn is_shared(&self) -> bool {
        self.lanes.len() > 1
    }

    /// What is neither used nor kept for another queue.
    fn free_for(&self, lane: usize) -> u32 {
        let is_idle = self.lanes.get(lane).is_some_and(|state| state.used() == 0);
        let kept = self.idle - u32::from(is_idle);
        let free = self.capacity.saturating_sub(self.used).saturating_sub(kept);
        let lane = self.lanes.get(lane);
        match lane.and_then(|state| Some((state.cap?, state.used()))) {
            Some((cap, used)) => free.min(cap.saturating_sub(used)),
            None => free,
        }
    }

    /// The slots of the worker, and the most of each queue, are other ones from now on. Jobs that run keep theirs.
    pub(super) fn resize(&mut self, capacity: u32, caps: impl Iterator<Item = Option<u32>>) {
        self.capacity = capacity;
        for (state, cap) in self.lanes.iter_mut().zip(caps) {
            state.cap = cap;
        }
    }

    /// Whether `lane` has asked for jobs that now have no slot.
    pub(super) fn has_excess(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|state| {
            let over = state.cap.is_some_and(|cap| state.used() > cap);
            state.asked > 0 && (over || self.used > self.capacity)
        })
    }

    /// A job arrived on `lane`. One that was not asked for (asked before a reconnect) still counts as running.
    pub(super) fn arrived(&mut self, lane: usize) {
        self.change(lane, |state| {
            state.asked = state.asked.saturating_sub(1);
            state.running += 1;
            state.is_warm = true;
        });
    }

    /// `count` jobs that `lane` asked for will not come.
    pub(super) fn returned(&mut self, lane: usize, count: u32) {
        self.change(lane, |state| {
            state.asked = state.asked.saturating_sub(count);
            state.is_warm = false;
        });
    }

    /// A job of `lane` has been settled.
    pub(super) fn finished(&mut self, lane: usize) {
        self.change(lane, |state| {
            state.running = state.running.saturating_sub(1);
        });
    }

    /// Changes one queue and keeps the sums.
    fn change(&mut self, lane: usize, change: impl FnOnce(&mut Lane)) {
        let Some(state) = self.lanes.get_mut(lane) else {
            return;
        };
        let before = *state;
        change(state);
        self.used = self.used - before.used() + state.used();
        self.idle = self.idle - u32::from(before.used() == 0) + u32::from(state.used() == 0);
        self.hungry = self.hungry - u32::from(before.is_hungry) + u32::from(state.is_hungry);
    }

    /// Whether fewer jobs run than may.
    pub(super) fn has_room(&self) -> bool {
        let running: u32 = self.lanes.iter().map(|lane| lane.running).sum();
        running < self.capacity
    }

    /// Jobs that run.
    #[cfg(test)]
    fn running(&self) -> u32 {
        self.lanes.iter().map(|l| l.running).sum()
    }

    #[cfg(test)]
    fn used(&self) -> u32 {
        self.lanes.iter().map(|l| l.asked + l.running).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_single_queue_gets_everything() {
        let mut slots = Slots::new(10, 1);
        assert_eq!(slots.grant(0), 10);
        assert_eq!(slots.grant(0), 0);
        for _ in 0..10 {
            slots.arrived(0);
        }
        slots.finished(0);
        assert_eq!(slots.grant(0), 1);
        assert_eq!(slots.running(), 9);
    }

    #[test]
    fn small_rests_are_saved_up_while_a_request_is_out() {
        let mut slots = Slots::new(100, 1);
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
        let mut slots = Slots::new(8, 3);
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
        let mut slots = Slots::new(8, 2);
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
        let mut slots = Slots::new(3, 2);
        assert_eq!(slots.grant(0), 1);
        slots.arrived(0);
        assert_eq!(slots.grant(0), 1, "one is kept for the other queue");
        slots.arrived(0);
        assert_eq!(slots.grant(1), 1);
        slots.arrived(1);
        assert_eq!((slots.grant(0), slots.grant(1)), (0, 0));
        slots.finished(0);
        assert_eq!(slots.callers(0).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(slots.grant(0), 1);
        assert_eq!(slots.callers(0).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_resize_takes_effect_on_what_is_asked_and_leaves_what_runs() {
        let mut slots = Slots::new(4, 1);
        assert_eq!(slots.grant(0), 4);
        slots.arrived(0);
        slots.arrived(0);
        slots.resize(1, std::iter::once(None));
        assert!(
            slots.has_excess(0),
            "two are asked for, and there is no slot"
        );
        slots.returned(0, 2);
        assert!(!slots.has_excess(0), "running jobs keep their slots");
        slots.finished(0);
        assert_eq!(slots.grant(0), 0);
        slots.resize(6, std::iter::once(Some(3)));
        assert_eq!(slots.grant(0), 2, "the queue itself may have three");
        slots.resize(6, std::iter::once(None));
        slots.returned(0, 2);
        assert_eq!(slots.grant(0), 5);
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
            let mut slots = Slots::new(capacity, 3);
            for step in steps {
                match step {
                    Step::Grant(lane) => { slots.grant(lane); }
                    // Only what was asked for arrives here; a surplus is tested with the worker.
                    Step::Arrived(lane) if slots.lanes[lane].asked > 0 => slots.arrived(lane),
                    Step::Arrived(_) => {}
                    Step::Returned(lane, n) => slots.returned(lane, n),
                    Step::Finished(lane) => slots.finished(lane),
                }
                prop_assert!(slots.used() <= capacity);
                prop_assert_eq!(slots.used, slots.used());
                let idle = slots.lanes.iter().filter(|lane| lane.used() == 0).count();
                prop_assert_eq!(slots.idle, u32::try_from(idle).unwrap());
            }
            // Whatever happened: once all jobs are finished, each queue can ask again.
            for lane in 0..3 {
                while slots.lanes[lane].running > 0 { slots.finished(lane); }
                slots.returned(lane, u32::MAX);
            }
            for lane in 0..3 {
                prop_assert!(slots.grant(lane) >= 1);
            }
        }
    }
}

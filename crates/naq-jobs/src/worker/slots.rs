//! Who may ask the server for how many jobs: pure bookkeeping.
//!
//! A worker has `capacity` slots for all its queues. A slot is free, *asked for* (a pull request for it is out) or
//! *running*. The sum never exceeds the capacity, so nothing is fetched that cannot start at once, and each queue
//! keeps one slot (asked for or running), so a busy queue cannot shut out a quiet one.
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
}

/// The slots of one queue.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    asked: u32,
    running: u32,
}

impl Slots {
    /// `capacity` slots for `lanes` queues.
    pub(super) fn new(capacity: u32, lanes: usize) -> Self {
        Self {
            capacity,
            lanes: vec![Lane::default(); lanes],
        }
    }

    /// How many more jobs queue `lane` may ask for now. Takes them.
    ///
    /// A request costs a message, so while some are still asked for, small rests are saved up.
    pub(super) fn grant(&mut self, lane: usize) -> u32 {
        let reserved: u32 = self
            .lanes
            .iter()
            .enumerate()
            .filter(|(other, state)| *other != lane && state.asked + state.running == 0)
            .count()
            .try_into()
            .unwrap_or(u32::MAX);
        let used: u32 = self.lanes.iter().map(|l| l.asked + l.running).sum();
        let free = self.capacity.saturating_sub(used).saturating_sub(reserved);
        let Some(state) = self.lanes.get_mut(lane) else {
            return 0;
        };
        let worth_it = (self.capacity / 4).max(1);
        if free == 0 || (state.asked > 0 && free < worth_it) {
            return 0;
        }
        state.asked += free;
        free
    }

    /// A job arrived on `lane`. One that was not asked for (asked before a reconnect) still counts as running.
    pub(super) fn arrived(&mut self, lane: usize) {
        if let Some(state) = self.lanes.get_mut(lane) {
            state.asked = state.asked.saturating_sub(1);
            state.running += 1;
        }
    }

    /// `count` jobs that `lane` asked for will not come.
    pub(super) fn returned(&mut self, lane: usize, count: u32) {
        if let Some(state) = self.lanes.get_mut(lane) {
            state.asked = state.asked.saturating_sub(count);
        }
    }

    /// A job of `lane` has been settled.
    pub(super) fn finished(&mut self, lane: usize) {
        if let Some(state) = self.lanes.get_mut(lane) {
            state.running = state.running.saturating_sub(1);
        }
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
    fn a_quiet_queue_keeps_one_slot() {
        let mut slots = Slots::new(4, 3);
        assert_eq!(slots.grant(0), 2);
        assert_eq!(slots.grant(1), 1);
        assert_eq!(slots.grant(2), 1);
        slots.arrived(0);
        slots.arrived(0);
        assert_eq!(slots.grant(0), 0);
        slots.finished(0);
        assert_eq!(slots.grant(0), 1);
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

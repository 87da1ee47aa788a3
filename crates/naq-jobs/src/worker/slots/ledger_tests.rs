//! The slots without a worker around them.

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

//! Nobody is forgotten, and the right one goes first.

use super::lines::{Lines, Standing};
use crate::control::QueueOrder;
use crate::model::QueueName;
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

/// What may be had, and who waits for it.
struct World<'a> {
    waiting: Vec<Standing<'a>>,
    places: usize,
    has_slot: bool,
}

impl World<'_> {
    /// Lets one act that is called: it lets another one go first, finds no slot or no place, or goes in.
    fn act(&mut self, lines: &Lines) -> bool {
        let is_called = |standing: &Standing<'_>| {
            let lines = lines.lock();
            lines[&mail()].waiting[&standing.rank].is_called
        };
        let Some(one) = self.waiting.iter().position(is_called) else {
            return false;
        };
        let standing = &self.waiting[one];
        match (standing.hands_over(), self.has_slot, self.places) {
            (true, ..) => {}
            (false, false, _) => standing.has_no_slot(),
            (false, true, 0) => standing.found_none(),
            (false, true, _) => {
                self.places -= 1;
                self.waiting.swap_remove(one).enters();
            }
        }
        true
    }
}

proptest! {
    #[test]
    fn no_call_is_lost(steps in proptest::collection::vec((0_u8..8, 0_usize..3), 0..100)) {
        let lines = Lines::default();
        let mut world = World { waiting: Vec::new(), places: 0, has_slot: true };
        for (step, (what, n)) in (0..).zip(steps) {
            match what {
                0 | 1 => world.waiting.push(join(&lines, (n, step))),
                2 if !world.waiting.is_empty() => {
                    world.places += 1;
                    lines.call(&mail(), QueueOrder::Strict);
                }
                // It leaves for another reason.
                3 if n < world.waiting.len() => drop(world.waiting.swap_remove(n)),
                4 => world.has_slot = false,
                5 if !world.has_slot => {
                    world.has_slot = true;
                    lines.slot_is_free();
                }
                _ => drop(world.act(&lines)),
            }
            if world.waiting.is_empty() {
                world.places = 0;
            }
        }
        world.has_slot = true;
        lines.slot_is_free();
        while world.act(&lines) {}
        prop_assert!(world.places == 0 || world.waiting.is_empty(), "{} free, {lines:?}", world.places);
    }
}

//! Leases come and go while the door closes and somebody waits for the last.

use std::sync::Arc;
// Not the scheduler's: what the checks count with is no step of what they check.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shuttle::{check_dfs, check_random, future, thread};

use super::RANDOM;

#[path = "../../../src/sharing/gauge.rs"]
mod source;

use source::Gauge;

/// A door, and who is inside by our own count.
#[derive(Default)]
struct House {
    gauge: Arc<Gauge>,
    inside: AtomicUsize,
    over: AtomicBool,
}

impl House {
    /// Takes a lease, goes on with a double of it if told to, and gives it back.
    fn visit(&self, place: usize, doubles: bool) {
        let Some(mut token) = self.gauge.enter(place) else {
            return;
        };
        self.inside.fetch_add(1, Ordering::SeqCst);
        self.stay();
        if doubles {
            // The first goes back before the double does.
            let double = self.gauge.double(&token);
            self.gauge.leave(&token);
            token = double;
            self.stay();
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
        self.gauge.leave(&token);
    }

    fn stay(&self) {
        thread::yield_now();
        assert!(!self.over.load(Ordering::SeqCst), "closed under its holder");
    }

    fn close(&self) {
        self.gauge.close();
        future::block_on(self.gauge.until_zero());
        self.over.store(true, Ordering::SeqCst);
        assert_eq!(self.inside.load(Ordering::SeqCst), 0, "somebody is inside");
    }
}

fn visitors_and_a_closer(doubles: &[bool]) {
    let house = Arc::new(House::default());
    let visitors: Vec<_> = doubles
        .iter()
        .enumerate()
        .map(|(place, doubles)| {
            let (house, doubles) = (Arc::clone(&house), *doubles);
            thread::spawn(move || house.visit(place, doubles))
        })
        .collect();
    house.close();
    visitors.into_iter().for_each(|v| v.join().unwrap());
    assert_eq!(house.gauge.count(), 0);
    assert!(house.gauge.enter(0).is_none());
    assert_eq!(house.gauge.count(), 0);
}

#[test]
fn in_every_order_a_closed_gauge_at_zero_has_nobody_inside_and_lets_nobody_in() {
    check_dfs(|| visitors_and_a_closer(&[false]), None);
}

#[test]
fn several_visitors_with_doubles_are_all_waited_for() {
    check_random(|| visitors_and_a_closer(&[true, false, true]), RANDOM);
}

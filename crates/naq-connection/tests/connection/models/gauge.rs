//! Leases come and go while the door closes and somebody waits for the last.

use std::sync::Arc;
// Not the scheduler's: what the checks count with is no step of what they check.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shuttle::{check_dfs, check_random, future, thread};

use super::RANDOM;

#[path = "../../../src/lease/gauge.rs"]
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
    fn visit(&self, doubles: bool) {
        let Some(mut token) = self.gauge.enter() else {
            return;
        };
        self.inside.fetch_add(1, Ordering::SeqCst);
        self.stay();
        if doubles {
            // The first goes back before the double does.
            token = token.clone();
            self.stay();
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
        drop(token);
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
        .map(|doubles| {
            let (house, doubles) = (Arc::clone(&house), *doubles);
            thread::spawn(move || house.visit(doubles))
        })
        .collect();
    house.close();
    visitors.into_iter().for_each(|v| v.join().unwrap());
    assert_eq!(house.gauge.count(), 0);
    assert!(house.gauge.enter().is_none());
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

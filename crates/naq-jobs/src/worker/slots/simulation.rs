//! A worker with all priorities and a server with a backlog, without the network in between.

use proptest::prelude::*;

use super::ledger::Slots;
use super::queue::{LEVELS, QueueTerms};
use crate::control::QueueOrder;

/// Lets a server with `backlog` jobs of each priority and a worker go on until all have run; says in which order they
/// started. `dice` says which lane looks next.
fn drain(
    capacity: u32,
    order: QueueOrder,
    mut backlog: [u32; LEVELS],
    dice: &mut fastrand::Rng,
) -> Vec<usize> {
    let mut slots = Slots::new(capacity, 1);
    slots.resize(
        capacity,
        std::iter::once(QueueTerms {
            order,
            ..QueueTerms::default()
        }),
    );
    for rank in 0..LEVELS {
        slots.open(rank);
    }
    let (mut starts, mut rests) = (Vec::new(), 0);
    while backlog.iter().sum::<u32>() > 0 {
        let rank = dice.usize(..LEVELS);
        let ask = slots.grant(rank);
        // A request that is open, also one from before, gets a job as soon as there is one.
        let open = slots.state(rank).asked.min(backlog[rank]);
        for _ in 0..open {
            slots.arrived(rank);
            starts.push(rank);
        }
        backlog[rank] -= open;
        if ask.no_wait && ask.count > open {
            slots.returned(rank, ask.count - open);
        }
        for lane in slots.without_slot(rank).collect::<Vec<_>>() {
            slots.withdrawn(lane, slots.state(lane).asked);
        }
        assert!(slots.queues[0].firm() <= capacity, "{slots:?}");
        rests = if open > 0 { 0 } else { rests + 1 };
        assert!(rests < 1000, "stuck: {slots:?}");
        if rests > 50 || !slots.has_room() {
            let busy = (0..LEVELS).find(|rank| slots.state(*rank).running > 0);
            busy.into_iter().for_each(|rank| slots.finished(rank));
        }
    }
    starts
}

proptest! {
    #[test]
    fn strict_is_strict_and_nothing_gets_stuck(
        capacity in 1_u32..12, high in 0_u32..20, normal in 0_u32..20, low in 0_u32..20, seed: u64
    ) {
        let mut dice = fastrand::Rng::with_seed(seed);
        let starts = drain(capacity, QueueOrder::Strict, [high, normal, low], &mut dice);
        prop_assert!(starts.is_sorted(), "{starts:?}");
    }

    #[test]
    fn weighted_lanes_have_their_shares_and_nobody_starves(capacity in 1_u32..12, seed: u64) {
        let mut dice = fastrand::Rng::with_seed(seed);
        let starts = drain(capacity, QueueOrder::Weighted, [200, 200, 200], &mut dice);
        let of = |rank| starts[..180].iter().filter(|start| **start == rank).count();
        prop_assert!((100..=140).contains(&of(0)), "{} high", of(0));
        prop_assert!((25..=55).contains(&of(1)), "{} normal", of(1));
        prop_assert!((8..=32).contains(&of(2)), "{} low", of(2));
    }
}

//! The word keeps what is packed into it, and loses no step.

use proptest::prelude::*;

use super::machine::{Machine, Rules, Stage};
use super::word::{DATA, Word, pack, unpack};

fn any_stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        any::<u32>().prop_map(|failures| Stage::Closed { failures }),
        (0..=DATA).prop_map(|due| Stage::Open { due }),
        Just(Stage::Probing),
        Just(Stage::Free),
    ]
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(
        generation in 0..=Machine::LAST_GENERATION,
        stage in any_stage(),
    ) {
        let machine = Machine { generation, stage };
        prop_assert_eq!(unpack(pack(machine)), machine);
    }
}

#[test]
fn no_step_of_threads_that_race_is_lost() {
    const MANY: u32 = 100_000;
    let word = Word::new(Machine::NEW);
    let rules = Rules {
        threshold: u32::MAX,
        recovery: 0,
    };
    let fail = || {
        for _ in 0..MANY {
            let ticket = word.read().admit_closed().unwrap();
            word.step(|machine| (machine.failed(ticket, rules, 0), ()));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(fail);
        }
    });
    let failures = 4 * MANY;
    assert_eq!(word.read().stage, Stage::Closed { failures });
}

#[test]
fn a_time_that_does_not_fit_is_the_latest_that_does() {
    let machine = Machine {
        generation: Machine::LAST_GENERATION,
        stage: Stage::Open { due: u64::MAX },
    };
    let due = Stage::Open { due: DATA };
    assert_eq!(unpack(pack(machine)).stage, due);
    assert_eq!(unpack(pack(machine)).generation, machine.generation);
}

//! Random walks over the machine.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::answer::{Admission, Replacement};
use super::machine::Machine;
use crate::state::{Failure, Phase};

const HOLD: Duration = Duration::from_millis(10);

#[derive(Debug, Clone)]
enum Step {
    Admit,
    Replace(u64),
    Succeed(u64),
    Fail(u64),
    Abandon(u64),
    Observe(u64, u64, bool),
    Exhaust(u64),
    End(u64),
    Refuse,
    Remove,
    Gone(u64),
    Close,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    // Names of dials are relative: 0 is the newest, so that most news are in time.
    let dial = prop_oneof![4 => Just(0_u64), 1 => 0..3_u64];
    prop_oneof![
        6 => Just(Step::Admit),
        4 => dial.clone().prop_map(Step::Replace),
        4 => dial.clone().prop_map(Step::Succeed),
        2 => dial.clone().prop_map(Step::Fail),
        1 => dial.clone().prop_map(Step::Abandon),
        6 => (dial.clone(), 0..5_u64, any::<bool>()).prop_map(|(d, n, up)| Step::Observe(d, n, up)),
        2 => dial.clone().prop_map(Step::Exhaust),
        2 => dial.clone().prop_map(Step::End),
        2 => dial.prop_map(Step::Gone),
        1 => Just(Step::Refuse),
        1 => Just(Step::Remove),
        1 => Just(Step::Close),
        2 => Just(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_there_is_one_dial_at_a_time_and_epochs_only_grow(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let (mut machine, mut now) = (Machine::new(), Instant::now());
        let (mut dialing, mut closed, mut refused) = (None, false, false);
        for step in steps {
            let before = machine.state();
            let name = |back: u64| machine.newest_dial().saturating_sub(back);
            let in_place = machine.in_place();
            match step {
                Step::Admit => match machine.admit(now) {
                    Admission::Dial(dial) => {
                        prop_assert!(dialing.is_none() && !refused);
                        dialing = Some(dial);
                    }
                    Admission::Join(dial) => prop_assert_eq!(dialing, Some(dial)),
                    Admission::Lease => prop_assert!(before.epoch > 0 && !before.is_terminal()),
                    Admission::HeldOff => prop_assert!(before.is_terminal() || before.phase == Phase::Idle),
                    Admission::Refused => prop_assert!(refused),
                },
                Step::Replace(back) => {
                    let wished = name(back);
                    match machine.replace(wished) {
                        Replacement::Dial(dial) => {
                            prop_assert!(dialing.is_none() && in_place.is_some());
                            dialing = Some(dial);
                        }
                        Replacement::Join(dial) => prop_assert!(dialing == Some(dial) && dial > wished),
                        Replacement::Wait(dial) => prop_assert!(dialing == Some(dial) && dial <= wished),
                        Replacement::Done => prop_assert!(in_place > Some(wished)),
                        Replacement::Nothing => prop_assert!(refused || in_place.is_none()),
                    }
                }
                Step::Succeed(back) => {
                    let dial = name(back);
                    if machine.dial_succeeded(dial) {
                        prop_assert_eq!(dialing.take(), Some(dial));
                        prop_assert!(machine.state().epoch > before.epoch);
                    }
                }
                Step::Fail(back) => {
                    let dial = name(back);
                    if machine.dial_failed(dial, Failure::Dial, now, HOLD) {
                        prop_assert_eq!(dialing.take(), Some(dial));
                    }
                }
                Step::Abandon(back) => {
                    let dial = name(back);
                    if machine.dial_abandoned(dial) {
                        prop_assert_eq!(dialing.take(), Some(dial));
                    }
                }
                Step::Observe(back, connects, up) => machine.observed(name(back), connects, up, 1),
                Step::Exhaust(back) => {
                    let reason = Failure::ReconnectsExhausted { attempts: 3 };
                    machine.given_up(name(back), reason);
                },
                Step::End(back) => machine.ended(name(back)),
                Step::Refuse => { machine.refuse(); refused = true; }
                Step::Remove => { machine.remove(); (closed, refused, dialing) = (true, true, None); }
                Step::Gone(back) => machine.gone(name(back)),
                Step::Close => { machine.close(); (closed, refused, dialing) = (true, true, None); }
                Step::Wait => now += HOLD,
            }
            let after = machine.state();
            prop_assert!(after.epoch >= before.epoch);
            prop_assert!(dialing.is_some() || after.phase != Phase::Dialing);
            prop_assert!(machine.in_place().is_none() || !after.is_terminal());
            prop_assert!(!closed || after.phase == Phase::Closed);
        }
    }
}

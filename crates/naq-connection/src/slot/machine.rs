//! The life of a profile's shared client, as a pure state machine.
//!
//! ```text
//!          admit                  dial_succeeded
//!  Idle ───────────► Dialing ──────────────────► Connected ◄─────────────► Reconnecting
//!   ▲                 │  │ ▲                         │        observed          │  │
//!   └─────────────────┘  │ │                         │                          │  │
//!     dial_abandoned     │ │ admit                   │ ended              ended │  │ exhausted
//!            dial_failed │ │                         ▼                          │  │
//!                        │ ├─────────────────────  Closed  ◄────────────────────┘  │
//!                        ▼ │                                                       │
//!                      Failed ◄────────────────────────────────────────────────────┘
//!
//!  refuse: from any state, admit only refuses.    close: any state ──► Closed, for good
//! ```
//!
//! Dials are numbered, and a client carries the number of the dial that made it, so that late news
//! of an earlier one is ignored. The epoch is counted from what the client itself reports
//! (connects so far), so that no flap is missed and none is counted twice.

use std::time::Duration;

use tokio::time::Instant;

use crate::state::{Failure, Phase, State};

/// Answer to one who wants the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The client exists: take a lease.
    Lease,
    /// A dial is under way: wait for it.
    Join(u64),
    /// Start this dial, then wait for it.
    Dial(u64),
    /// The last dial failed a moment ago: its error is the answer.
    HeldOff,
    /// No leases any more.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    epoch: u64,
    /// Epoch before the current client.
    base: u64,
    /// The newest dial; also the name of the client that it made.
    dial: u64,
    /// Dials that failed since the last one that succeeded.
    failed_dials: u32,
    /// Set when a client was given up, until a dial succeeds.
    exhausted: Option<u32>,
    held_until: Option<Instant>,
    refusing: bool,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Idle,
            epoch: 0,
            base: 0,
            dial: 0,
            failed_dials: 0,
            exhausted: None,
            held_until: None,
            refusing: false,
        }
    }

    pub(crate) fn state(&self) -> State {
        State {
            phase: self.phase,
            epoch: self.epoch,
        }
    }

    pub(crate) fn failed_dials(&self) -> u32 {
        self.failed_dials
    }

    /// Attempts after which the last client was given up, if no dial has succeeded since.
    pub(crate) fn exhausted_after(&self) -> Option<u32> {
        self.exhausted
    }

    pub(crate) fn admit(&mut self, now: Instant) -> Admission {
        if self.refusing {
            return Admission::Refused;
        }
        match self.phase {
            Phase::Connected | Phase::Reconnecting { .. } => Admission::Lease,
            Phase::Dialing => Admission::Join(self.dial),
            Phase::Idle | Phase::Closed | Phase::Failed { .. } => {
                if self.held_until.is_some_and(|until| now < until) {
                    return Admission::HeldOff;
                }
                self.dial += 1;
                self.phase = Phase::Dialing;
                Admission::Dial(self.dial)
            }
        }
    }

    /// False if nobody waits for this dial any more: its client must be thrown away.
    pub(crate) fn dial_succeeded(&mut self, dial: u64) -> bool {
        if !self.is_dialing(dial) {
            return false;
        }
        self.base = self.epoch;
        self.epoch += 1;
        self.phase = Phase::Connected;
        self.failed_dials = 0;
        self.exhausted = None;
        self.held_until = None;
        true
    }

    /// `hold`: for how long the failure answers everyone who asks next.
    pub(crate) fn dial_failed(
        &mut self,
        dial: u64,
        reason: Failure,
        now: Instant,
        hold: Duration,
    ) -> bool {
        if !self.is_dialing(dial) {
            return false;
        }
        self.failed_dials = self.failed_dials.saturating_add(1);
        self.held_until = now.checked_add(hold);
        self.phase = Phase::Failed {
            reason: self.given_up().unwrap_or(reason),
        };
        true
    }

    /// The dial ended without a result: its task was cancelled or its runtime is gone.
    pub(crate) fn dial_abandoned(&mut self, dial: u64) -> bool {
        if !self.is_dialing(dial) {
            return false;
        }
        self.phase = match self.given_up() {
            Some(reason) => Phase::Failed { reason },
            None => Phase::Idle,
        };
        true
    }

    /// What the client says of itself: how often it connected, whether it is up now, and the
    /// attempts since it last was.
    pub(crate) fn observed(&mut self, client: u64, connects: u64, up: bool, attempts: u32) {
        if !self.is_alive(client) {
            return;
        }
        self.epoch = self.epoch.max(self.base.saturating_add(connects));
        self.phase = if up {
            Phase::Connected
        } else {
            Phase::Reconnecting { attempts }
        };
    }

    pub(crate) fn exhausted(&mut self, client: u64, attempts: u32) {
        if self.is_alive(client) {
            self.exhausted = Some(attempts);
            self.phase = Phase::Failed {
                reason: Failure::ReconnectsExhausted { attempts },
            };
        }
    }

    pub(crate) fn ended(&mut self, client: u64) {
        if self.is_alive(client) {
            self.phase = Phase::Closed;
        }
    }

    pub(crate) fn refuse(&mut self) {
        self.refusing = true;
    }

    pub(crate) fn close(&mut self) {
        self.refusing = true;
        self.phase = Phase::Closed;
    }

    fn given_up(&self) -> Option<Failure> {
        self.exhausted
            .map(|attempts| Failure::ReconnectsExhausted { attempts })
    }

    fn is_dialing(&self, dial: u64) -> bool {
        self.phase == Phase::Dialing && self.dial == dial
    }

    fn is_alive(&self, client: u64) -> bool {
        self.dial == client && matches!(self.phase, Phase::Connected | Phase::Reconnecting { .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOLD: Duration = Duration::from_millis(10);

    fn connected() -> Machine {
        let mut machine = Machine::new();
        assert_eq!(machine.admit(Instant::now()), Admission::Dial(1));
        assert!(machine.dial_succeeded(1));
        machine
    }

    #[test]
    fn all_who_come_during_a_dial_join_it() {
        let (mut machine, now) = (Machine::new(), Instant::now());
        assert_eq!(machine.admit(now), Admission::Dial(1));
        assert_eq!(machine.admit(now), Admission::Join(1));
        assert!(machine.dial_succeeded(1));
        assert_eq!(machine.admit(now), Admission::Lease);
    }

    #[test]
    fn a_failed_dial_answers_for_a_while_and_then_a_new_one_starts() {
        let (mut machine, now) = (Machine::new(), Instant::now());
        machine.admit(now);
        assert!(machine.dial_failed(1, Failure::Auth, now, HOLD));
        let reason = Failure::Auth;
        assert_eq!(machine.state().phase, Phase::Failed { reason });
        assert_eq!(machine.admit(now), Admission::HeldOff);
        assert_eq!(machine.admit(now + HOLD), Admission::Dial(2));
    }

    #[test]
    fn flaps_that_nobody_saw_still_count_as_epochs() {
        let mut machine = connected();
        machine.observed(1, 4, true, 0);
        assert_eq!(
            machine.state(),
            State {
                phase: Phase::Connected,
                epoch: 4
            }
        );
        machine.ended(1);
        machine.admit(Instant::now());
        machine.dial_succeeded(2);
        assert_eq!(machine.state().epoch, 5);
        machine.observed(2, 2, false, 1);
        assert_eq!(machine.state().epoch, 6);
    }

    #[test]
    fn exhausted_stays_the_reason_until_a_dial_succeeds() {
        let (mut machine, now) = (connected(), Instant::now());
        machine.exhausted(1, 3);
        let failed = Phase::Failed {
            reason: Failure::ReconnectsExhausted { attempts: 3 },
        };
        assert_eq!(machine.state().phase, failed);
        machine.ended(1);
        assert_eq!(machine.admit(now), Admission::Dial(2));
        machine.dial_failed(2, Failure::Dial, now, HOLD);
        assert_eq!(
            (machine.state().phase, machine.exhausted_after()),
            (failed, Some(3))
        );
        machine.admit(now + HOLD);
        machine.dial_succeeded(3);
        assert_eq!(machine.exhausted_after(), None);
    }

    #[test]
    fn news_of_an_earlier_client_are_ignored() {
        let mut machine = connected();
        machine.ended(1);
        machine.admit(Instant::now());
        machine.dial_succeeded(2);
        machine.observed(1, 9, false, 5);
        machine.exhausted(1, 5);
        machine.ended(1);
        assert_eq!(
            machine.state(),
            State {
                phase: Phase::Connected,
                epoch: 2
            }
        );
    }

    #[test]
    fn an_abandoned_dial_lets_the_next_one_start() {
        let mut machine = Machine::new();
        machine.admit(Instant::now());
        assert!(machine.dial_abandoned(1));
        assert_eq!(machine.admit(Instant::now()), Admission::Dial(2));
        assert!(!machine.dial_succeeded(1));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Admit,
        Succeed(u64),
        Fail(u64),
        Abandon(u64),
        Observe(u64, u64, bool),
        Exhaust(u64),
        End(u64),
        Refuse,
        Close,
        Wait,
    }

    fn step() -> impl Strategy<Value = Step> {
        // Names of dials are relative: 0 is the newest, so that most news are in time.
        let dial = prop_oneof![4 => Just(0_u64), 1 => 0..3_u64];
        prop_oneof![
            6 => Just(Step::Admit),
            4 => dial.clone().prop_map(Step::Succeed),
            2 => dial.clone().prop_map(Step::Fail),
            1 => dial.clone().prop_map(Step::Abandon),
            6 => (dial.clone(), 0..5_u64, any::<bool>()).prop_map(|(d, n, up)| Step::Observe(d, n, up)),
            2 => dial.clone().prop_map(Step::Exhaust),
            2 => dial.prop_map(Step::End),
            1 => Just(Step::Refuse),
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
                let name = |back: u64| machine.dial.saturating_sub(back);
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
                    Step::Exhaust(back) => machine.exhausted(name(back), 3),
                    Step::End(back) => machine.ended(name(back)),
                    Step::Refuse => { machine.refuse(); refused = true; }
                    Step::Close => { machine.close(); (closed, refused, dialing) = (true, true, None); }
                    Step::Wait => now += HOLD,
                }
                let after = machine.state();
                prop_assert!(after.epoch >= before.epoch);
                prop_assert_eq!(dialing.is_some(), after.phase == Phase::Dialing);
                prop_assert!(!closed || after.phase == Phase::Closed);
            }
        }
    }
}

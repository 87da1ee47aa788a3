//! The clients of a profile and lane, one after the other, as a pure state machine.
//!
//! ```text
//!          admit                  dial_succeeded
//!  Idle ───────────► Dialing ──────────────────► Connected ◄─────────────► Reconnecting
//!   ▲                 │  │ ▲                         │        observed          │  │
//!   └─────────────────┘  │ │                         │                          │  │
//!     dial_abandoned     │ │ admit                   │ ended              ended │  │ given_up
//!            dial_failed │ │                         ▼                          │  │
//!                        │ ├─────────────────────  Closed  ◄────────────────────┘  │
//!                        ▼ │                                                       │
//!                      Failed ◄────────────────────────────────────────────────────┘
//!
//!             replace                      dial_succeeded               gone
//!  in place ───────────► in place + dial ─────────────────► in place' + retired ──────► in place'
//!                              │ dial_failed, dial_abandoned
//!                              ▼
//!                           in place
//!
//!  refuse: from any state, admit only refuses.  remove: the client in place retires too.
//!  close: any state ──► Closed, for good, and the retired ones with it
//! ```
//!
//! Dials are numbered, and a client carries the number of the dial that made it, so that late news
//! of an earlier one find their way to it and change nothing else. If the client in place ends
//! while another is dialled to replace it, that dial is the one that everybody waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Admission, Replacement};
use super::life::Life;
use crate::state::{Failure, Phase, State};

#[derive(Debug)]
pub(crate) struct Machine {
    /// Without a client: why there is none.
    vacant: Phase,
    /// The client in place.
    current: Option<(u64, Life)>,
    /// Clients that give no leases any more, until nothing of them is left.
    retired: BTreeMap<u64, Life>,
    /// The newest epoch of any client.
    epochs: u64,
    /// The newest dial.
    dial: u64,
    /// The dial under way that is to replace the client in place.
    replacing: Option<u64>,
    /// Dials that failed since the last one that succeeded.
    failed_dials: u32,
    /// Set when a client was given up for its attempts, until a dial succeeds.
    exhausted: Option<u32>,
    held_until: Option<Instant>,
    refusing: bool,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            vacant: Phase::Idle,
            current: None,
            retired: BTreeMap::new(),
            epochs: 0,
            dial: 0,
            replacing: None,
            failed_dials: 0,
            exhausted: None,
            held_until: None,
            refusing: false,
        }
    }

    pub(crate) fn state(&self) -> State {
        match &self.current {
            Some((_, life)) => life.state(),
            None => State {
                phase: self.vacant,
                epoch: self.epochs,
            },
        }
    }

    /// The state of one client, until it is [`gone`](Self::gone).
    pub(crate) fn state_of(&self, client: u64) -> Option<State> {
        match &self.current {
            Some((current, life)) if *current == client => Some(life.state()),
            _ => self.retired.get(&client).map(Life::state),
        }
    }

    pub(crate) fn in_place(&self) -> Option<u64> {
        self.current.as_ref().map(|(client, _)| *client)
    }

    pub(crate) fn newest_dial(&self) -> u64 {
        self.dial
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
        if self.current.is_some() {
            return Admission::Lease;
        }
        if self.vacant == Phase::Dialing {
            return Admission::Join(self.dial);
        }
        if self.held_until.is_some_and(|until| now < until) {
            return Admission::HeldOff;
        }
        self.dial += 1;
        self.vacant = Phase::Dialing;
        Admission::Dial(self.dial)
    }

    /// `wished`: the newest dial when the wish arose.
    pub(crate) fn replace(&mut self, wished: u64) -> Replacement {
        let under_way = match &self.current {
            _ if self.refusing => return Replacement::Nothing,
            None if self.vacant == Phase::Dialing => Some(self.dial),
            None => return Replacement::Nothing,
            Some((client, _)) if *client > wished => return Replacement::Done,
            Some(_) => self.replacing,
        };
        match under_way {
            Some(dial) if dial > wished => Replacement::Join(dial),
            Some(dial) => Replacement::Wait(dial),
            None => {
                self.dial += 1;
                self.replacing = Some(self.dial);
                Replacement::Dial(self.dial)
            }
        }
    }

    /// False if nobody waits for this dial any more: its client must be thrown away.
    pub(crate) fn dial_succeeded(&mut self, dial: u64) -> bool {
        if self.replacing == Some(dial) {
            self.replacing = None;
            self.retired.extend(self.current.take());
        } else if !self.is_dialing(dial) {
            return false;
        }
        self.current = Some((dial, Life::new(&mut self.epochs)));
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
        if self.replacing == Some(dial) {
            self.replacing = None;
            return true;
        }
        if !self.is_dialing(dial) {
            return false;
        }
        self.failed_dials = self.failed_dials.saturating_add(1);
        self.held_until = now.checked_add(hold);
        self.vacant = Phase::Failed {
            reason: self.given_up_for().unwrap_or(reason),
        };
        true
    }

    /// The dial ended without a result: its task was cancelled or its runtime is gone.
    pub(crate) fn dial_abandoned(&mut self, dial: u64) -> bool {
        if self.replacing == Some(dial) {
            self.replacing = None;
            return true;
        }
        if !self.is_dialing(dial) {
            return false;
        }
        self.vacant = match self.given_up_for() {
            Some(reason) => Phase::Failed { reason },
            None => Phase::Idle,
        };
        true
    }

    /// News of a client; see [`Life::observed`].
    pub(crate) fn observed(&mut self, client: u64, connects: u64, up: bool, attempts: u32) {
        let life = match &mut self.current {
            Some((current, life)) if *current == client => Some(life),
            _ => self.retired.get_mut(&client),
        };
        if let Some(life) = life {
            life.observed(&mut self.epochs, connects, up, attempts);
        }
    }

    /// A client stopped trying.
    pub(crate) fn given_up(&mut self, client: u64, reason: Failure) {
        if let Failure::ReconnectsExhausted { attempts } = reason
            && self.in_place() == Some(client)
        {
            self.exhausted = Some(attempts);
        }
        self.end(client, Phase::Failed { reason });
    }

    pub(crate) fn ended(&mut self, client: u64) {
        self.end(client, Phase::Closed);
    }

    /// Nothing is left of a client that is not in place any more.
    pub(crate) fn gone(&mut self, client: u64) {
        self.retired.remove(&client);
    }

    pub(crate) fn refuse(&mut self) {
        self.refusing = true;
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing
    }

    /// Refuses, and retires the client in place.
    pub(crate) fn remove(&mut self) {
        self.refusing = true;
        self.vacant = Phase::Closed;
        self.replacing = None;
        self.retired.extend(self.current.take());
    }

    pub(crate) fn close(&mut self) {
        self.remove();
        for life in self.retired.values_mut() {
            life.end(Phase::Closed);
        }
    }

    fn end(&mut self, client: u64, phase: Phase) {
        if self.in_place() == Some(client) {
            self.retired.extend(self.current.take());
            self.vacant = match self.replacing.take() {
                Some(_) => Phase::Dialing,
                None => phase,
            };
        }
        if let Some(life) = self.retired.get_mut(&client) {
            life.end(phase);
        }
    }

    fn given_up_for(&self) -> Option<Failure> {
        self.exhausted
            .map(|attempts| Failure::ReconnectsExhausted { attempts })
    }

    fn is_dialing(&self, dial: u64) -> bool {
        self.current.is_none() && self.vacant == Phase::Dialing && self.dial == dial
    }
}

#[cfg(test)]
mod tests {
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
        machine.given_up(1, Failure::ReconnectsExhausted { attempts: 3 });
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
        machine.given_up(1, Failure::Auth);
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

    #[test]
    fn a_replacement_leaves_the_old_client_alive_and_takes_its_place() {
        let mut machine = connected();
        assert_eq!(machine.replace(1), Replacement::Dial(2));
        assert_eq!(machine.admit(Instant::now()), Admission::Lease);
        assert!(machine.dial_succeeded(2));
        assert_eq!((machine.in_place(), machine.state().epoch), (Some(2), 2));
        // The old one reconnects: an epoch of its own, which the new one does not share.
        machine.observed(1, 2, true, 0);
        assert_eq!(machine.state_of(1).unwrap().epoch, 3);
        assert_eq!(machine.state().epoch, 2);
        machine.observed(2, 2, true, 0);
        assert_eq!(machine.state().epoch, 4);
        machine.gone(1);
        assert_eq!(machine.state_of(1), None);
    }

    #[test]
    fn a_replacement_that_fails_changes_nothing() {
        let (mut machine, now) = (connected(), Instant::now());
        assert_eq!(machine.replace(1), Replacement::Dial(2));
        let before = machine.state();
        assert!(machine.dial_failed(2, Failure::Dial, now, HOLD));
        assert_eq!((machine.state(), machine.in_place()), (before, Some(1)));
        assert_eq!(machine.replace(2), Replacement::Dial(3));
        assert!(machine.dial_abandoned(3));
        assert_eq!(machine.admit(now), Admission::Lease);
    }

    #[test]
    fn wishes_that_arise_during_a_replacement_get_one_more_and_not_one_each() {
        let mut machine = connected();
        assert_eq!(machine.replace(1), Replacement::Dial(2));
        let wished = machine.newest_dial();
        assert_eq!(machine.replace(wished), Replacement::Wait(2));
        assert!(machine.dial_succeeded(2));
        assert_eq!(machine.replace(wished), Replacement::Dial(3));
        assert_eq!(machine.replace(wished), Replacement::Join(3));
        assert!(machine.dial_succeeded(3));
        assert_eq!(machine.replace(wished), Replacement::Done);
    }

    #[test]
    fn when_the_client_ends_first_everybody_waits_for_its_replacement() {
        let (mut machine, now) = (connected(), Instant::now());
        assert_eq!(machine.replace(1), Replacement::Dial(2));
        machine.ended(1);
        assert_eq!(machine.state_of(1).unwrap().phase, Phase::Closed);
        assert_eq!(machine.admit(now), Admission::Join(2));
        assert!(machine.dial_failed(2, Failure::Dial, now, HOLD));
        assert_eq!(machine.admit(now), Admission::HeldOff);
    }
}

//! What clients tell, and what becomes of it: the machine's step, the states, the log, the events.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::place::{Inner, Slot};
use crate::events::{Event, EventKind};
use crate::link::{Report, Signal};
use crate::state::{Failure, Phase, State};

/// One client's step from one state to another.
struct Change {
    before: State,
    after: State,
    lasted: Duration,
}

impl Slot {
    /// Takes the news of the client of dial `client`. Holds the slot weakly: the slot holds the
    /// link, and the link's callbacks hold this.
    pub(super) fn reporter(self: &Arc<Self>, client: u64) -> Report {
        let slot: Weak<Self> = Arc::downgrade(self);
        Arc::new(move |signal| {
            if let Some(slot) = slot.upgrade() {
                slot.hear(client, signal);
            }
        })
    }

    fn hear(&self, client: u64, signal: Signal) {
        let (profile, lane) = (self.meter().profile(), self.meter().lane());
        let told = match signal {
            Signal::Observed {
                connects,
                up,
                attempts,
            } => {
                self.step(|inner| inner.machine.observed(client, connects, up, attempts));
                return;
            }
            Signal::Exhausted { attempts } => {
                let reason = Failure::ReconnectsExhausted { attempts };
                self.step(|inner| inner.machine.given_up(client, reason));
                return;
            }
            Signal::Refused => {
                self.step(|inner| inner.machine.given_up(client, Failure::Auth));
                return;
            }
            Signal::Ended => {
                self.client_ended(client);
                return;
            }
            Signal::LameDuck => {
                tracing::warn!(profile, lane, "the server is about to shut down");
                EventKind::LameDuck
            }
            Signal::Stalled => {
                tracing::warn!(profile, lane, "nothing comes in any more: connecting anew");
                EventKind::Stalled
            }
            Signal::SlowConsumer(sid) => {
                tracing::warn!(
                    profile,
                    lane,
                    sid,
                    "a subscription is too slow: a message was dropped"
                );
                EventKind::SlowConsumer { subscription: sid }
            }
            Signal::ServerError(error) => {
                tracing::warn!(profile, lane, error, "the server reports an error");
                EventKind::ServerError { text: error }
            }
        };
        let epoch = self
            .lock()
            .machine
            .state_of(client)
            .map(|state| state.epoch);
        if let Some(epoch) = epoch {
            self.tell(epoch, told);
        }
    }

    pub(super) fn client_ended(&self, client: u64) {
        self.step(|inner| inner.machine.ended(client));
    }

    /// Nothing is left of a client.
    pub(super) fn gone(&self, client: u64) {
        let mut inner = self.lock();
        inner.machine.gone(client);
        let gone = inner.clients.extract_if(.., |c| c.number == client);
        let gone: Vec<_> = gone.collect();
        drop(inner);
        drop(gone);
    }

    /// Steps the machine, and publishes what became of which client.
    pub(super) fn step(&self, step: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        let place = inner.machine.in_place();
        let before: Vec<_> = inner.states().collect();
        step(&mut inner);
        let mut left = None;
        if place != inner.machine.in_place() {
            // Before anybody learns of it: who then asks for a lease must not get this one.
            left = self.current.swap(None);
        }
        let mut changes = Vec::new();
        let Inner {
            machine, clients, ..
        } = &mut *inner;
        for (client, before) in clients.iter_mut().zip(before) {
            let Some((before, after)) = before.zip(machine.state_of(client.number)) else {
                continue;
            };
            if before == after {
                continue;
            }
            client.link.publish_state(after);
            let lasted = client.since.elapsed();
            if before.is_connected() != after.is_connected() {
                client.since = Instant::now();
            }
            let change = Change {
                before,
                after,
                lasted,
            };
            self.announce(&change);
            changes.push(change);
        }
        self.show(machine.state());
        drop(inner);
        if let Some(left) = left {
            left.retire();
        }
        changes.iter().for_each(|change| self.log(change));
    }

    /// Publishes the state of the slot.
    pub(super) fn show(&self, state: State) {
        self.states.send_if_modified(|shown| {
            let changed = *shown != state;
            *shown = state;
            changed
        });
    }

    pub(super) fn tell(&self, epoch: u64, kind: EventKind) {
        let Some(lane) = self.lane else { return };
        self.context.events.tell(Event {
            profile: Arc::from(self.meter().profile()),
            lane,
            epoch,
            kind,
        });
    }

    fn announce(&self, change: &Change) {
        let kind = match (change.before.phase, change.after.phase) {
            (Phase::Connected, Phase::Connected) => EventKind::Reconnected {
                down_for: Duration::ZERO,
            },
            (_, Phase::Connected) => EventKind::Reconnected {
                down_for: change.lasted,
            },
            (Phase::Connected, Phase::Reconnecting { .. }) => EventKind::Disconnected,
            (_, Phase::Failed { reason }) => match reason {
                Failure::Auth => EventKind::AuthFailed,
                Failure::ReconnectsExhausted { attempts } => EventKind::GaveUp { attempts },
                Failure::Dial => return,
            },
            (_, Phase::Closed) => EventKind::Closed,
            _ => return,
        };
        self.tell(change.after.epoch, kind);
    }

    fn log(&self, change: &Change) {
        let (profile, lane) = (self.meter().profile(), self.meter().lane());
        let (epoch, lasted) = (change.after.epoch, change.lasted);
        match (change.before.phase, change.after.phase) {
            (Phase::Connected, Phase::Connected) => {
                tracing::info!(profile, lane, epoch, "reconnected to NATS at once");
            }
            (_, Phase::Connected) => {
                tracing::info!(profile, lane, epoch, down_for = ?lasted, "reconnected to NATS");
            }
            (Phase::Connected, Phase::Reconnecting { .. }) => {
                tracing::info!(profile, lane, epoch, up_for = ?lasted, "lost the connection to NATS");
            }
            (_, Phase::Failed { reason }) => {
                tracing::error!(
                    profile,
                    lane,
                    epoch,
                    ?reason,
                    "gave the connection to NATS up"
                );
            }
            (_, Phase::Closed) => {
                tracing::info!(
                    profile,
                    lane,
                    epoch,
                    ?lasted,
                    "closed the connection to NATS"
                );
            }
            _ => {}
        }
    }
}

impl Inner {
    /// The state of each client.
    fn states(&self) -> impl Iterator<Item = Option<State>> {
        let numbers = self.clients.iter().map(|client| client.number);
        numbers.map(|number| self.machine.state_of(number))
    }
}

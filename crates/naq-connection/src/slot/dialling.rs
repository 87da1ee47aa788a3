//! Dials, each in a task of its own, which then looks after the client that it has made.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::place::{Client, Inner, Slot};
use crate::dial::{Backoff, Dialling, Plan, dial};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::events::{EventKind, ReplaceReason};
use crate::link::{Held, Link};
use crate::monitor::Activity;
use crate::sharing::{Share, Spread};
use crate::state::Failure;

impl Slot {
    /// Starts dial `number`, by `plan`; `replaces`: why the client in place is to go.
    pub(super) fn start(
        self: &Arc<Self>,
        number: u64,
        plan: Arc<Plan>,
        replaces: Option<(ReplaceReason, Share<Held>)>,
        runtime: &Handle,
    ) {
        let unsettled = Unsettled {
            slot: Arc::clone(self),
            dial: number,
        };
        let Ok(newest) = self.plan.as_ref().map(Arc::clone) else {
            return;
        };
        let report = self.reporter(number);
        let reason = replaces.as_ref().map(|(reason, _)| *reason);
        // The servers of other settings may be those of another cluster.
        let old = replaces.filter(|(reason, _)| *reason != ReplaceReason::Reload);
        let discovered = old.map(|(_, old)| old.discovered()).unwrap_or_default();
        let replacing = reason.map(|reason| self.replacing(reason));
        let span = replacing.as_ref().map(|activity| activity.span().clone());
        let dialled = async move {
            let slot = &unsettled.slot;
            let to = Dialling {
                meter: Arc::clone(slot.meter()),
                plan: Arc::clone(&plan),
                newest,
                discovered,
            };
            let outcome = tokio::select! {
                biased;
                () = slot.context.stop.cancelled() => return None,
                outcome = dial(&to, report) => outcome,
            };
            if let Some(replacing) = replacing {
                replacing.end(if outcome.is_ok() { "ok" } else { "error" });
            }
            match outcome {
                Ok(link) => slot.succeeded(number, &plan, reason, link),
                Err(error) => {
                    slot.failed(number, &plan, reason, error);
                    None
                }
            }
        };
        let dialled = dialled.instrument(span.unwrap_or_else(Span::none));
        let slot = Arc::clone(self);
        self.context.tasks.spawn_on(
            async move {
                if let Some(link) = dialled.await {
                    // Those who wait for the client go first.
                    yield_now().await;
                    // Boxed: it holds a whole dial.
                    Box::pin(slot.tend(link, number)).await;
                }
            },
            runtime,
        );
    }

    fn replacing(&self, reason: ReplaceReason) -> Activity {
        Activity::start(info_span!(
            "replace",
            profile = self.meter().profile(),
            lane = self.meter().lane(),
            %reason,
            outcome = Empty,
            duration = Empty,
        ))
    }

    /// Puts the client in its place. It is given back if it is to be looked after.
    fn succeeded(
        self: &Arc<Self>,
        dial: u64,
        plan: &Arc<Plan>,
        reason: Option<ReplaceReason>,
        link: Arc<Link>,
    ) -> Option<Arc<Link>> {
        let leases = Arc::clone(&self.context.leases);
        // The slot holds it, and it the slot: until the client has ended, is replaced, or nobody
        // holds the service any more.
        let held = Held::new(Arc::clone(&link), leases, Arc::clone(self) as _);
        let mut accepted = false;
        let took = self.lock().dialling_since.elapsed();
        let state = self.settle(dial, |inner| {
            accepted = inner.machine.dial_succeeded(dial);
            if !accepted {
                return None;
            }
            if let Ok(newest) = &self.plan {
                newest.store(Arc::clone(plan));
            }
            // Inside, so that nothing is told of it before this.
            let told = reason.map_or(EventKind::Connected, |reason| EventKind::Replaced {
                reason,
            });
            self.tell(inner.machine.state().epoch, told);
            inner.clients.push(Client {
                number: dial,
                link: Arc::clone(&link),
                since: Instant::now(),
            });
            Some(held)
        });
        if !accepted {
            return None;
        }
        let (profile, lane, epoch) = (self.meter().profile(), self.meter().lane(), state.epoch);
        match reason {
            Some(reason) => {
                tracing::info!(profile, lane, epoch, %reason, "replaced the connection to NATS");
            }
            None => tracing::info!(profile, lane, epoch, ?took, "connected to NATS"),
        }
        // What happened before the link was here has been told to nobody.
        link.observe();
        if link.has_ended() {
            self.client_ended(dial);
        }
        Some(link)
    }

    fn failed(
        &self,
        dial: u64,
        plan: &Plan,
        replaces: Option<ReplaceReason>,
        error: ConnectionError,
    ) {
        let reason = match error.kind() {
            ConnectionErrorKind::AuthFailed => Failure::Auth,
            _ => Failure::Dial,
        };
        let (profile, lane) = (self.meter().profile(), self.meter().lane());
        match replaces {
            Some(why) => {
                tracing::warn!(profile, lane, %why, "the connection to NATS was not replaced: {error}");
            }
            None => error.tell(|error| {
                tracing::error!(profile, lane, "NATS connection error: {error}");
            }),
        }
        let backoff = Backoff::new(plan.settings.reconnect_time_wait);
        let mut told = error.clone();
        let state = self.settle(dial, |inner| {
            let hold = backoff.pause(inner.machine.failed_dials());
            let now = Instant::now();
            if inner.machine.dial_failed(dial, reason, now, hold) {
                let error = match inner.machine.exhausted_after() {
                    Some(attempts) => ConnectionError::with_source(
                        ConnectionErrorKind::ReconnectsExhausted,
                        format!("gave up after {attempts} attempts; one more failed: {error}"),
                        error,
                    ),
                    None => error,
                };
                told.clone_from(&error);
                inner.last_failure = Some((dial, error));
            }
            None
        });
        let kind = match replaces {
            Some(reason) => EventKind::ReplaceFailed {
                reason,
                error: told,
            },
            None => EventKind::DialFailed { error: told },
        };
        self.tell(state.epoch, kind);
    }

    /// Ends a dial: steps the machine, puts the client in its place and lets those go on who wait.
    fn settle(
        &self,
        dial: u64,
        step: impl FnOnce(&mut Inner) -> Option<Arc<Held>>,
    ) -> crate::State {
        let mut inner = self.lock();
        let held = step(&mut inner);
        let state = inner.machine.state();
        if let Some(held) = &held {
            held.publish_state(state);
        }
        self.show(state);
        let held = held.map(|held| Arc::new(Spread::new(&held)));
        let before = held.and_then(|held| self.current.swap(Some(held)));
        self.settled.send_if_modified(|settled| {
            let newer = *settled < dial;
            *settled = dial.max(*settled);
            newer
        });
        drop(inner);
        if let Some(before) = before {
            before.retire();
        }
        state
    }
}

/// Ends a dial whose task is dropped half-way, so that nobody waits for it for ever.
struct Unsettled {
    slot: Arc<Slot>,
    dial: u64,
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        self.slot.settle(self.dial, |inner| {
            inner.machine.dial_abandoned(self.dial);
            None
        });
    }
}

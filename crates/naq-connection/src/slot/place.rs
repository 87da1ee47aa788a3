//! The thin loop around the machine: one dial task at a time, one place where news arrive.
//!
//! The lock is held for a step of the machine and for publishing its result, never across an
//! await. Log records are written after it is released.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::machine::{Admission, Machine};
use crate::dial::{Backoff, Plan, dial};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::link::{Link, Report, Signal};
use crate::monitor::Meter;
use crate::state::{Failure, Phase, State};

pub(crate) struct Slot {
    meter: Arc<Meter>,
    plan: Result<Arc<Plan>, ConnectionError>,
    inner: Mutex<Inner>,
    view: watch::Sender<View>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Inner {
    machine: Machine,
    /// The newest dial that failed, and how.
    last_failure: Option<(u64, ConnectionError)>,
    since: Instant,
}

/// What those who want the client look at.
struct View {
    link: Option<Arc<Link>>,
    /// The newest dial that has ended.
    settled: u64,
}

impl Slot {
    pub(crate) fn new(
        meter: Arc<Meter>,
        plan: Result<Plan, ConnectionError>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            meter,
            plan: plan.map(Arc::new),
            inner: Mutex::new(Inner {
                machine: Machine::new(),
                last_failure: None,
                since: Instant::now(),
            }),
            view: watch::Sender::new(View {
                link: None,
                settled: 0,
            }),
            tasks,
            stop,
        })
    }

    /// Where what happens here is counted.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(crate) fn state(&self) -> State {
        self.lock().machine.state()
    }

    /// The error in the settings, if there is one.
    pub(crate) fn check(&self) -> Result<&Arc<Plan>, ConnectionError> {
        self.plan.as_ref().map_err(Clone::clone)
    }

    /// The client, dialled if need be. Callers that come during a dial share it and its outcome.
    ///
    /// Dropping the future only stops the waiting.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Arc<Link>, ConnectionError> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        loop {
            let Some(dial) = self.admit()? else {
                if let Some(link) = self.current() {
                    return Ok(link);
                }
                continue;
            };
            self.until_settled(dial).await;
            if let Some(link) = self.current() {
                return Ok(link);
            }
            if let Some(error) = self.failure_of(dial) {
                return Err(error);
            }
        }
    }

    async fn until_settled(&self, dial: u64) {
        let mut view = self.view.subscribe();
        // The sender lives in `self`, so waiting cannot fail. What it returns holds a lock and must
        // not live on: `inner` is locked before the view, never after it.
        drop(view.wait_for(|view| view.settled >= dial).await);
    }

    pub(crate) fn current(&self) -> Option<Arc<Link>> {
        self.view.borrow().link.clone()
    }

    /// Gives no client to anyone any more; those who have one keep it.
    pub(crate) fn refuse(&self) {
        self.lock().machine.refuse();
    }

    /// Forgets the client.
    pub(crate) fn close(&self) {
        self.update(|inner| inner.machine.close());
    }

    /// The dial to wait for; `None` when the client is there.
    fn admit(self: &Arc<Self>) -> Result<Option<u64>, ConnectionError> {
        let plan = self.check()?;
        let runtime = Handle::try_current().map_err(|error| {
            ConnectionError::with_source(
                ConnectionErrorKind::NoRuntime,
                "connections are made by tasks of a Tokio runtime",
                error,
            )
        })?;
        let mut inner = self.lock();
        match inner.machine.admit(Instant::now()) {
            Admission::Lease => Ok(None),
            Admission::Join(dial) => Ok(Some(dial)),
            Admission::Dial(dial) => {
                inner.since = Instant::now();
                drop(inner);
                self.start(dial, Arc::clone(plan), &runtime);
                Ok(Some(dial))
            }
            Admission::HeldOff => Err(inner
                .last_failure
                .as_ref()
                .map_or_else(|| self.refused(), |(_, error)| error.clone())),
            Admission::Refused => Err(self.refused()),
        }
    }

    fn start(self: &Arc<Self>, dial_no: u64, plan: Arc<Plan>, runtime: &Handle) {
        let unsettled = Unsettled {
            slot: Arc::clone(self),
            dial: dial_no,
        };
        let report = self.reporter(dial_no);
        self.tasks.spawn_on(
            async move {
                let slot = &unsettled.slot;
                let outcome = tokio::select! {
                    biased;
                    () = slot.stop.cancelled() => return,
                    outcome = dial(&slot.meter, &plan, report) => outcome,
                };
                match outcome {
                    Ok(link) => slot.succeeded(dial_no, &link),
                    Err(error) => slot.failed(dial_no, &plan, error),
                }
            },
            runtime,
        );
    }

    fn succeeded(&self, dial: u64, link: &Arc<Link>) {
        let took = self.lock().since.elapsed();
        let mut accepted = false;
        let state = self.settle(dial, |inner| {
            accepted = inner.machine.dial_succeeded(dial);
            accepted.then(|| Arc::clone(link))
        });
        if !accepted {
            return;
        }
        tracing::info!(
            profile = self.meter.profile(),
            lane = self.meter.lane(),
            epoch = state.epoch,
            ?took,
            "connected to NATS"
        );
        // What happened before the link was here has been told to nobody.
        link.observe();
        if link.has_ended() {
            self.update(|inner| inner.machine.ended(dial));
        }
    }

    fn failed(&self, dial: u64, plan: &Plan, error: ConnectionError) {
        let reason = match error.kind() {
            ConnectionErrorKind::AuthFailed => Failure::Auth,
            _ => Failure::Dial,
        };
        error.tell(|error| {
            let (profile, lane) = (self.meter.profile(), self.meter.lane());
            tracing::error!(profile, lane, "NATS connection error: {error}");
        });
        let backoff = Backoff::new(plan.settings.reconnect_time_wait);
        self.settle(dial, |inner| {
            let hold = backoff.pause(inner.machine.failed_dials());
            if inner
                .machine
                .dial_failed(dial, reason, Instant::now(), hold)
            {
                let error = match inner.machine.exhausted_after() {
                    Some(attempts) => ConnectionError::with_source(
                        ConnectionErrorKind::ReconnectsExhausted,
                        format!("gave up after {attempts} attempts; one more failed: {error}"),
                        error,
                    ),
                    None => error,
                };
                inner.last_failure = Some((dial, error));
            }
            None
        });
    }

    /// Ends a dial: steps the machine and lets those go on who wait for it.
    fn settle(&self, dial: u64, step: impl FnOnce(&mut Inner) -> Option<Arc<Link>>) -> State {
        let mut inner = self.lock();
        let before = inner.machine.state();
        let link = step(&mut inner);
        let state = inner.machine.state();
        if let Some(link) = &link {
            link.publish_state(state);
        }
        if before != state {
            inner.since = Instant::now();
        }
        self.view.send_modify(|view| {
            view.settled = view.settled.max(dial);
            if link.is_some() {
                view.link = link;
            }
        });
        state
    }

    /// Steps the machine for a client that is there, and publishes what became of it.
    fn update(&self, step: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        let before = inner.machine.state();
        step(&mut inner);
        let after = inner.machine.state();
        if before == after {
            return;
        }
        let link = self.current();
        if let Some(link) = &link {
            link.publish_state(after);
        }
        if after.is_terminal() {
            self.view.send_modify(|view| view.link = None);
        }
        let lasted = inner.since.elapsed();
        if before.is_connected() != after.is_connected() {
            inner.since = Instant::now();
        }
        drop(inner);
        self.log(before, after, lasted);
    }

    fn log(&self, before: State, after: State, lasted: std::time::Duration) {
        let (profile, lane) = (self.meter.profile(), self.meter.lane());
        let epoch = after.epoch;
        match (before.phase, after.phase) {
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
            // A lane that nobody used has nothing to tell.
            (Phase::Idle, Phase::Closed) => {}
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

    /// Takes the news of the client of dial `client`. Holds the slot weakly: the slot holds the
    /// link, and the link's callbacks hold this.
    fn reporter(self: &Arc<Self>, client: u64) -> Report {
        let slot: Weak<Self> = Arc::downgrade(self);
        Arc::new(move |signal| {
            let Some(slot) = slot.upgrade() else { return };
            slot.update(|inner| match signal {
                Signal::Observed {
                    connects,
                    up,
                    attempts,
                } => inner.machine.observed(client, connects, up, attempts),
                Signal::Exhausted { attempts } => inner.machine.exhausted(client, attempts),
                Signal::Ended => inner.machine.ended(client),
            });
        })
    }

    /// How `dial` failed, or a later one did meanwhile, which serves as well.
    fn failure_of(&self, dial: u64) -> Option<ConnectionError> {
        let inner = self.lock();
        let (failed, error) = inner.last_failure.as_ref()?;
        (*failed >= dial).then(|| error.clone())
    }

    fn refused(&self) -> ConnectionError {
        ConnectionError::new(
            ConnectionErrorKind::ShuttingDown,
            format!("profile `{}` gives no new leases", self.meter.profile()),
        )
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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

//! The slot itself: the way to its client, and the end.
//!
//! The lock is held for a step of the machine and for publishing its result, never across an
//! await. Log records are written after it is released.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Admission;
use super::machine::Machine;
use crate::dial::{Newest, Plan};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::events::Announcer;
use crate::lane::Lane;
use crate::link::{Held, Link};
use crate::monitor::Meter;
use crate::sharing::Gauge;
use crate::sharing::{Share, Spread};
use crate::state::State;

pub(crate) struct Slot {
    meter: Arc<Meter>,
    /// Of a shared connection: it is told of in events, and replaced when that is due.
    pub(super) lane: Option<Lane>,
    pub(super) plan: Result<Newest, ConnectionError>,
    pub(super) inner: Mutex<Inner>,
    /// The client that leases are on: the hot way takes no lock. Changed only under `inner`.
    pub(super) current: ArcSwapOption<Spread<Held>>,
    /// The newest dial that has ended.
    pub(super) settled: watch::Sender<u64>,
    pub(super) states: watch::Sender<State>,
    pub(super) context: Context,
}

/// What all slots of a service share.
#[derive(Clone, Default)]
pub(crate) struct Context {
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) events: Announcer,
    pub(crate) leases: Arc<Gauge>,
}

pub(super) struct Inner {
    pub(super) machine: Machine,
    /// The newest dial that failed, and how.
    pub(super) last_failure: Option<(u64, ConnectionError)>,
    /// The client in place and those that are retired.
    pub(super) clients: Vec<Client>,
    pub(super) dialling_since: Instant,
}

pub(super) struct Client {
    pub(super) number: u64,
    pub(super) link: Arc<Link>,
    /// When it was last connected or lost.
    pub(super) since: Instant,
}

impl Slot {
    pub(crate) fn new(
        meter: Arc<Meter>,
        lane: Option<Lane>,
        plan: Result<Plan, ConnectionError>,
        context: Context,
    ) -> Arc<Self> {
        let machine = Machine::new();
        Arc::new(Self {
            meter,
            lane,
            plan: plan.map(|plan| Arc::new(ArcSwap::from_pointee(plan))),
            states: watch::Sender::new(machine.state()),
            inner: Mutex::new(Inner {
                machine,
                last_failure: None,
                clients: Vec::new(),
                dialling_since: Instant::now(),
            }),
            current: ArcSwapOption::empty(),
            settled: watch::Sender::new(0),
            context,
        })
    }

    /// Where what happens here is counted.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(crate) fn state(&self) -> State {
        *self.states.borrow()
    }

    /// Follows the state of whichever client is in place.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.states.subscribe()
    }

    /// The plan that is valid now, or the error in the settings.
    pub(crate) fn plan(&self) -> Result<&Newest, ConnectionError> {
        self.plan.as_ref().map_err(Clone::clone)
    }

    /// The client, dialled if need be. Callers that come during a dial share it and its outcome.
    ///
    /// Dropping the future only stops the waiting.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Share<Held>, ConnectionError> {
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

    pub(super) async fn until_settled(&self, dial: u64) {
        let mut settled = self.settled.subscribe();
        // The sender lives in `self`, so waiting cannot fail. What it returns holds a lock and must
        // not live on: `inner` is locked before it, never after it.
        drop(settled.wait_for(|settled| *settled >= dial).await);
    }

    pub(crate) fn current(&self) -> Option<Share<Held>> {
        let current = self.current.load();
        current.as_deref().map(Spread::share)
    }

    /// The client in place and those that are retired and not yet gone.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        let inner = self.lock();
        inner.clients.iter().map(|c| Arc::clone(&c.link)).collect()
    }

    /// Gives no client to anyone any more; those who have one keep it.
    pub(crate) fn refuse(&self) {
        self.lock().machine.refuse();
    }

    /// As [`refuse`](Self::refuse), and retires the client.
    pub(crate) fn remove(&self) {
        self.step(|inner| inner.machine.remove());
    }

    /// Gives no leases on its client any more, which lives on with those that are out.
    pub(crate) fn orphan(&self) {
        let inner = self.lock();
        let before = self.current.swap(None);
        drop(inner);
        drop(before);
    }

    /// Forgets all clients.
    pub(crate) fn close(&self) {
        self.step(|inner| inner.machine.close());
        let clients = std::mem::take(&mut self.lock().clients);
        drop(clients);
    }

    /// The dial to wait for; `None` when the client is there.
    fn admit(self: &Arc<Self>) -> Result<Option<u64>, ConnectionError> {
        let plan = self.plan()?.load_full();
        let runtime = runtime()?;
        let mut inner = self.lock();
        match inner.machine.admit(Instant::now()) {
            Admission::Lease => Ok(None),
            Admission::Join(dial) => Ok(Some(dial)),
            Admission::Dial(dial) => {
                inner.dialling_since = Instant::now();
                self.states.send_replace(inner.machine.state());
                drop(inner);
                self.start(dial, plan, None, &runtime);
                Ok(Some(dial))
            }
            Admission::HeldOff => Err(inner
                .last_failure
                .as_ref()
                .map_or_else(|| self.refused(), |(_, error)| error.clone())),
            Admission::Refused => Err(self.refused()),
        }
    }

    /// How `dial` failed, or a later one did meanwhile, which serves as well.
    pub(super) fn failure_of(&self, dial: u64) -> Option<ConnectionError> {
        let inner = self.lock();
        let (failed, error) = inner.last_failure.as_ref()?;
        (*failed >= dial).then(|| error.clone())
    }

    pub(super) fn refused(&self) -> ConnectionError {
        ConnectionError::new(
            ConnectionErrorKind::ShuttingDown,
            format!("profile `{}` gives no new leases", self.meter.profile()),
        )
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn runtime() -> Result<Handle, ConnectionError> {
    Handle::try_current().map_err(|error| {
        ConnectionError::with_source(
            ConnectionErrorKind::NoRuntime,
            "connections are made by tasks of a Tokio runtime",
            error,
        )
    })
}

//! The service's handle.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use arc_swap::ArcSwap;
use naq_config::settings::NatsSettings;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::builder::{ConnectionServiceBuilder, DEFAULT_MAX_EXCLUSIVE};
use super::profiles::{Lanes, Profiles};
use super::reload::Reloads;
use super::shutdown::ShutdownReport;
use super::take::at_once;
use crate::dial::{Plan, Provider};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::events::{Announcer, Events};
use crate::exclusive::Janitor;
use crate::lane::Lane;
use crate::lease::Connection;
use crate::limiter::{ConnectionLimiter, Limiters};
use crate::monitor::{ConnectionMonitor, Place};
use crate::sharing::Gauge;
use crate::slot::{Context, Slot};
use crate::state::State;

/// The profile that [`ConnectionService::connection`] uses.
pub const DEFAULT_PROFILE: &str = "default";

/// Shared connections, one per profile.
///
/// A clone is another handle on the same service. End it with
/// [`shutdown`](ConnectionService::shutdown): dropping the last handle and the last lease stops all
/// attempts to connect, but loses what was not flushed.
#[derive(Clone)]
pub struct ConnectionService {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) profiles: ArcSwap<Profiles>,
    /// The slot that [`DEFAULT_PROFILE`] had first, and nearly always still has: the hot way goes by
    /// it. One that was removed has no client.
    first: Option<Arc<Slot>>,
    pub(super) reloads: Reloads,
    pub(super) leases: Arc<Gauge>,
    pub(super) monitor: ConnectionMonitor,
    pub(super) janitor: Arc<Janitor>,
    limiters: Limiters,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) events: Announcer,
    pub(super) report: OnceCell<ShutdownReport>,
}

impl ConnectionService {
    /// A service with the one profile [`DEFAULT_PROFILE`], which connects at the first use.
    ///
    /// Settings that can't be used show at the first use too; [`builder`](Self::builder) refuses
    /// them at once.
    #[must_use]
    pub fn new(settings: NatsSettings) -> Self {
        Self::of_profile(DEFAULT_PROFILE, settings, ConnectionMonitor::new())
    }

    pub(crate) fn of_profile(
        profile: &str,
        settings: NatsSettings,
        monitor: ConnectionMonitor,
    ) -> Self {
        let plans = [(profile.to_owned(), Plan::new(settings))];
        Self::with_plans(plans, HashMap::new(), DEFAULT_MAX_EXCLUSIVE, monitor)
    }

    /// A service with several profiles, or with another way of starting.
    pub fn builder() -> ConnectionServiceBuilder {
        ConnectionServiceBuilder::default()
    }

    pub(super) fn with_plans(
        plans: impl IntoIterator<Item = (String, Result<Plan, ConnectionError>)>,
        providers: HashMap<String, Provider>,
        max_exclusive: usize,
        monitor: ConnectionMonitor,
    ) -> Self {
        let context = Context::default();
        let lanes = plans.into_iter().map(|(profile, plan)| {
            let lanes = Lanes::new(&profile, plan, &monitor, &context);
            (profile, lanes)
        });
        let lanes: HashMap<_, _> = lanes.collect();
        let first = lanes.get(DEFAULT_PROFILE);
        Self {
            inner: Arc::new(Inner {
                first: first.map(|lanes| Arc::clone(&lanes.control)),
                profiles: ArcSwap::from_pointee(Profiles { lanes }),
                reloads: Reloads::new(providers),
                leases: context.leases,
                monitor,
                janitor: Arc::new(Janitor::new(max_exclusive, context.tasks.clone())),
                limiters: Limiters::default(),
                tasks: context.tasks,
                stop: context.stop,
                events: context.events,
                report: OnceCell::new(),
            }),
        }
    }

    /// Leases the connection of [`DEFAULT_PROFILE`]; dials it first if need be.
    ///
    /// Concurrent callers share one dial and its outcome. While a lost connection is being
    /// restored, the lease is given at once and its calls wait within their own deadlines. After
    /// a failed dial the same error answers for a short while (10 ms up to `reconnect_time_wait`,
    /// growing), so that callers in a loop do not hammer a dead server. Cancel safe: the dial goes
    /// on for the others.
    ///
    /// # Errors
    /// `Connect`, `ConnectTimedOut`: no server answered in `connection_timeout`; retrying may help.
    /// `AuthFailed`, `Tls`, `InvalidSettings`: retrying does not help. `ReconnectsExhausted`: an
    /// earlier client was given up and one more attempt has failed. `ShuttingDown`, `NoRuntime`.
    #[track_caller]
    pub fn connection(&self) -> impl Future<Output = Result<Connection, ConnectionError>> + Send {
        let place = Location::caller();
        async move {
            let first = self.inner.first.as_ref();
            if let Some(lease) = first.and_then(|slot| at_once(slot, place)) {
                return lease;
            }
            let slot = self.slot(DEFAULT_PROFILE, Lane::Control)?;
            self.take(slot, place).await
        }
    }

    /// As [`connection`](Self::connection), of the profile `profile`.
    ///
    /// # Errors
    /// As [`connection`](Self::connection); `UnknownProfile`.
    #[track_caller]
    pub fn connection_for(
        &self,
        profile: &str,
    ) -> impl Future<Output = Result<Connection, ConnectionError>> + Send {
        self.lease_of(profile, Lane::Control, Location::caller())
    }

    /// What the shared connection of `profile` is doing; does not dial.
    ///
    /// # Errors
    /// `UnknownProfile`.
    pub fn state_of(&self, profile: &str) -> Result<State, ConnectionError> {
        self.state_of_lane(profile, Lane::Control)
    }

    /// As [`state_of`](Self::state_of), of the connection of one lane.
    ///
    /// # Errors
    /// `UnknownProfile`.
    pub fn state_of_lane(&self, profile: &str, lane: Lane) -> Result<State, ConnectionError> {
        Ok(self.slot(profile, lane)?.state())
    }

    /// The limiter of `key`: all who ask this service for the same key share its
    /// [`DEFAULT_LIMIT`](crate::DEFAULT_LIMIT) places.
    #[must_use]
    pub fn limiter(&self, key: &str) -> ConnectionLimiter {
        self.inner.limiters.get(key)
    }

    /// Follows the state of the shared connection of `profile`: of whichever is in place, so that
    /// it goes on when the connection is replaced. Does not dial. Changes in quick succession may be
    /// seen as one; the epoch shows connects that were not seen.
    ///
    /// # Errors
    /// `UnknownProfile`.
    pub fn watch_state(&self, profile: &str) -> Result<watch::Receiver<State>, ConnectionError> {
        Ok(self.slot(profile, Lane::Control)?.watch())
    }

    /// What happens to the connections of the service from now on. Several may listen.
    pub fn events(&self) -> Events {
        self.inner.events.listen()
    }

    /// Leases that are out now, subscriptions included.
    pub fn leases(&self) -> usize {
        self.inner.leases.count()
    }

    pub(super) async fn lease_of(
        &self,
        profile: &str,
        lane: Lane,
        place: Place,
    ) -> Result<Connection, ConnectionError> {
        self.take(self.slot(profile, lane)?, place).await
    }

    pub(super) fn slot(&self, profile: &str, lane: Lane) -> Result<Arc<Slot>, ConnectionError> {
        let profiles = self.inner.profiles.load();
        let lanes = profiles.lanes.get(profile);
        let lanes = lanes.ok_or_else(|| unknown(profile))?;
        Ok(Arc::clone(lanes.get(lane)))
    }
}

pub(super) fn unknown(profile: &str) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::UnknownProfile,
        format!("`{profile}` is not a profile of this service"),
    )
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
        self.profiles.load().slots().for_each(|slot| slot.orphan());
    }
}

impl fmt::Debug for ConnectionService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionService")
            .field("profiles", &self.inner.profiles.load().lanes.keys())
            .field("leases", &self.leases())
            .finish_non_exhaustive()
    }
}

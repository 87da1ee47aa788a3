//! The service's handle.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use naq_config::settings::NatsSettings;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::builder::{ConnectionServiceBuilder, DEFAULT_MAX_EXCLUSIVE};
use super::lane::Lane;
use super::shutdown::ShutdownReport;
use crate::dial::Plan;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::exclusive::Janitor;
use crate::lease::{Connection, Gauge};
use crate::limiter::{ConnectionLimiter, Limiters};
use crate::monitor::{ConnectionMonitor, Place};
use crate::slot::Slot;
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
    pub(super) profiles: HashMap<String, Lanes>,
    /// Apart from the map: the way to it is the hot one.
    default: Option<Arc<Slot>>,
    pub(super) leases: Arc<Gauge>,
    pub(super) monitor: ConnectionMonitor,
    pub(super) janitor: Arc<Janitor>,
    limiters: Limiters,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) report: OnceCell<ShutdownReport>,
}

/// The connections of a profile.
pub(super) struct Lanes {
    control: Arc<Slot>,
    bulk: Arc<Slot>,
}

impl Lanes {
    fn get(&self, lane: Lane) -> &Arc<Slot> {
        match lane {
            Lane::Control => &self.control,
            Lane::Bulk => &self.bulk,
        }
    }
}

impl Inner {
    pub(super) fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        let lanes = self.profiles.values();
        lanes.flat_map(|lanes| [&lanes.control, &lanes.bulk])
    }
}

impl ConnectionService {
    /// A service with the one profile [`DEFAULT_PROFILE`], which connects at the first use.
    ///
    /// Settings that can't be used show at the first use too; [`builder`](Self::builder) refuses
    /// them at once.
    #[must_use]
    pub fn new(settings: NatsSettings) -> Self {
        Self::of_profile(DEFAULT_PROFILE, settings)
    }

    pub(crate) fn of_profile(profile: &str, settings: NatsSettings) -> Self {
        let plans = [(profile.to_owned(), Plan::new(settings))];
        Self::with_plans(plans, DEFAULT_MAX_EXCLUSIVE)
    }

    /// A service with several profiles, or with another way of starting.
    pub fn builder() -> ConnectionServiceBuilder {
        ConnectionServiceBuilder::default()
    }

    pub(super) fn with_plans(
        plans: impl IntoIterator<Item = (String, Result<Plan, ConnectionError>)>,
        max_exclusive: usize,
    ) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let monitor = ConnectionMonitor::new();
        let profiles: HashMap<_, _> = plans
            .into_iter()
            .map(|(profile, plan)| {
                let slot = |lane: Lane, plan| {
                    let meter = monitor.meter(&profile, lane.name());
                    Slot::new(meter, plan, tasks.clone(), stop.clone())
                };
                let lanes = Lanes {
                    bulk: slot(
                        Lane::Bulk,
                        plan.as_ref().map(Plan::bulk).map_err(Clone::clone),
                    ),
                    control: slot(Lane::Control, plan),
                };
                (profile, lanes)
            })
            .collect();
        let default = profiles.get(DEFAULT_PROFILE);
        Self {
            inner: Arc::new(Inner {
                default: default.map(|lanes| Arc::clone(&lanes.control)),
                profiles,
                leases: Arc::default(),
                monitor,
                janitor: Arc::new(Janitor::new(max_exclusive, tasks.clone())),
                limiters: Limiters::default(),
                tasks,
                stop,
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
            match &self.inner.default {
                Some(slot) => self.take(slot, place).await,
                None => Err(unknown(DEFAULT_PROFILE)),
            }
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

    pub(super) fn slot(&self, profile: &str, lane: Lane) -> Result<&Arc<Slot>, ConnectionError> {
        let lanes = self.inner.profiles.get(profile);
        let lanes = lanes.ok_or_else(|| unknown(profile))?;
        Ok(lanes.get(lane))
    }
}

fn unknown(profile: &str) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::UnknownProfile,
        format!("`{profile}` is not a profile of this service"),
    )
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for ConnectionService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionService")
            .field("profiles", &self.inner.profiles.keys())
            .field("leases", &self.leases())
            .finish_non_exhaustive()
    }
}

//! The monitor.

use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};

use tracing::Instrument;

use super::guard::Connecting;
use super::leases::{Alarm, LeaseInfo, Leases};
use super::meter::Meter;
use super::operation::{OperationTimer, Operations};
use super::snapshot::{ConnectionMetrics, Total};

/// Counts connections and measures operations; every service has one
/// ([`ConnectionService::monitor`](crate::ConnectionService::monitor)) and feeds it by itself.
///
/// Its memory does not grow with what it counts: about 40 KiB for each profile and lane, 5 KiB for each
/// of at most 257 names of operations. A clone is another handle on the same numbers.
///
/// ```
/// use std::time::Duration;
/// use naq_connection::ConnectionMonitor;
///
/// let monitor = ConnectionMonitor::new();
/// let connection = monitor.connecting("legacy").succeeded_in(Duration::from_secs(1));
/// monitor.connecting("legacy").failed();
/// assert_eq!(monitor.metrics().active_connections, 1);
/// drop(connection);
/// let metrics = monitor.metrics();
/// assert_eq!((metrics.total_connections, metrics.active_connections), (2, 0));
/// assert_eq!(metrics.average_connection_time(), Duration::from_secs(1));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConnectionMonitor {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    meters: RwLock<Vec<Arc<Meter>>>,
    operations: Operations,
    alarm: Arc<Alarm>,
}

/// The lane of connections that are counted by hand.
const MANUAL: &str = "manual";

impl ConnectionMonitor {
    /// A monitor of its own, for connections that no service makes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins an attempt to connect. `profile` names where to: one of a few, since the numbers of
    /// each are kept apart for ever.
    #[track_caller]
    pub fn connecting(&self, profile: &str) -> Connecting {
        Connecting {
            attempt: self.meter(profile, MANUAL).acquiring(),
            place: Location::caller(),
        }
    }

    /// Begins to measure an operation. Names after the 256th are counted together as `other`.
    pub fn operation(&self, name: &str) -> OperationTimer {
        self.inner.operations.start(name)
    }

    /// Runs `work` as the operation `name`: measured, and in a span of that name's own.
    ///
    /// # Errors
    /// Those of `work`, unchanged.
    pub async fn monitored<T, E>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let timer = self.operation(name);
        let span = tracing::info_span!("operation", name);
        let outcome = work.instrument(span).await;
        match &outcome {
            Ok(_) => timer.succeeded(),
            Err(_) => timer.failed(),
        }
        outcome
    }

    /// The numbers of all profiles together, as of now.
    pub fn metrics(&self) -> ConnectionMetrics {
        ConnectionMetrics {
            operations: self.inner.operations.metrics(),
            ..self.metrics_where(|_| true)
        }
    }

    /// The numbers of one profile, all lanes together; all zero for one that nobody used.
    pub fn metrics_of(&self, profile: &str) -> ConnectionMetrics {
        self.metrics_where(|meter| meter.profile() == profile)
    }

    /// Sets everything to zero but what is going on now: active connections stay active.
    pub fn reset(&self) {
        self.meters().iter().for_each(|meter| meter.reset());
        self.inner.operations.reset();
    }

    pub(crate) fn leases_out(&self) -> Vec<LeaseInfo> {
        let mut leases = Vec::new();
        for meter in self.meters() {
            meter.leases.each(|entry| leases.push(meter.info(entry)));
        }
        leases.sort_by_key(|lease| std::cmp::Reverse(lease.age));
        leases
    }

    /// The meter of a profile's lane, made if need be.
    pub(crate) fn meter(&self, profile: &str, lane: &'static str) -> Arc<Meter> {
        let find = |meters: &[Arc<Meter>]| {
            let meter = meters.iter().find(|meter| meter.is_of(profile, lane));
            meter.map(Arc::clone)
        };
        let meters = &self.inner.meters;
        if let Some(meter) = find(&meters.read().unwrap_or_else(PoisonError::into_inner)) {
            return meter;
        }
        let mut meters = meters.write().unwrap_or_else(PoisonError::into_inner);
        find(&meters).unwrap_or_else(|| {
            let leases = Leases::new(Arc::clone(&self.inner.alarm));
            let meter = Arc::new(Meter::new(profile, lane, leases));
            meters.push(Arc::clone(&meter));
            meter
        })
    }

    pub(super) fn meters(&self) -> Vec<Arc<Meter>> {
        let meters = self.inner.meters.read();
        meters.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn alarm(&self) -> &Alarm {
        &self.inner.alarm
    }

    pub(super) fn metrics_where(&self, wanted: impl Fn(&Meter) -> bool) -> ConnectionMetrics {
        let mut total = Total::default();
        for meter in self.meters().iter().filter(|meter| wanted(meter)) {
            total.add(meter);
        }
        total.metrics()
    }
}

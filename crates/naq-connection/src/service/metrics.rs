//! What the service counts, and the leases that are out.

use std::time::Duration;

use super::handle::ConnectionService;
use crate::error::ConnectionError;
use crate::lane::Lane;
use crate::monitor::{ConnectionMetrics, ConnectionMonitor, LeaseInfo, watch};

impl ConnectionService {
    /// The numbers of all profiles together: a copy, which later changes do not alter.
    ///
    /// ```no_run
    /// # fn run(service: naq_connection::ConnectionService) {
    /// use naq_connection::AlertRules;
    ///
    /// let metrics = service.metrics();
    /// println!("{} active", metrics.active_connections);
    /// println!("99 of 100 round trips took less than {:?}", metrics.rtt.p99);
    /// for alert in AlertRules::default().evaluate(&metrics) {
    ///     println!("{alert}");
    /// }
    /// # }
    /// ```
    pub fn metrics(&self) -> ConnectionMetrics {
        self.monitor().metrics()
    }

    /// The numbers of one profile, its lanes together.
    ///
    /// # Errors
    /// `UnknownProfile`.
    pub fn metrics_of(&self, profile: &str) -> Result<ConnectionMetrics, ConnectionError> {
        self.state_of_lane(profile, Lane::Control)?;
        Ok(self.monitor().metrics_of(profile))
    }

    /// Sets the numbers to zero but for what is going on now: active connections stay active.
    pub fn reset_metrics(&self) {
        self.monitor().reset();
    }

    /// The monitor that this service feeds, for operations of your own.
    pub fn monitor(&self) -> &ConnectionMonitor {
        &self.inner.monitor
    }

    /// The leases that are out now, the oldest first: who holds them, and for how long.
    pub fn leases_out(&self) -> Vec<LeaseInfo> {
        self.monitor().leases_out()
    }

    /// Tells of leases that are out for longer than `threshold`, until the service ends.
    pub(super) fn watch_leases(&self, threshold: Duration) {
        let (monitor, stop) = (self.monitor().clone(), self.inner.stop.clone());
        self.inner.tasks.spawn(async move {
            stop.run_until_cancelled(watch(monitor, threshold)).await;
        });
    }
}

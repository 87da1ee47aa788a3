//! The end of a service, within a deadline.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::handle::ConnectionService;
use crate::lease::end;

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Leases that were still out when the connections were closed.
    pub leases_outstanding: usize,
    /// Connections that were closed, with exclusive ones and those that had been replaced and still
    /// had leases.
    pub connections_closed: usize,
    /// Connections whose task was still there at the deadline (a link that stalls). They don't
    /// reconnect any more.
    pub connections_left: usize,
    /// Messages that were published through leases and never confirmed: they may be lost. An upper
    /// bound, counted from the last confirmed flush. Those of exclusive connections that were dropped
    /// earlier are included.
    pub unconfirmed: u64,
}

impl ShutdownReport {
    /// Whether the server has confirmed everything.
    pub fn flushed(&self) -> bool {
        self.unconfirmed == 0
    }

    /// Of two services together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            leases_outstanding: self.leases_outstanding + other.leases_outstanding,
            connections_closed: self.connections_closed + other.connections_closed,
            connections_left: self.connections_left + other.connections_left,
            unconfirmed: self.unconfirmed + other.unconfirmed,
        }
    }
}

impl ConnectionService {
    /// Ends the service: no new leases, waits for those that are out, confirms what was published,
    /// drains, closes.
    ///
    /// Three quarters of the time go to the leases, the rest is kept for flushing. A server that is
    /// down is waited for (within the deadline) only if something is left to deliver. May be
    /// called again, and from several places: all get the same report. Cancelled, it can be called
    /// again to go on.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        *self
            .inner
            .report
            .get_or_init(|| self.close_all(deadline))
            .await
    }

    async fn close_all(&self, deadline: Duration) -> ShutdownReport {
        let (inner, start) = (&self.inner, Instant::now());
        let (patience, end) = (end(start, deadline / 4 * 3), end(start, deadline));
        // Before the stop, by which slots of removed profiles lose their last owner.
        let mut slots = inner.reloads.removed();
        slots.extend(inner.profiles.load().slots().cloned());
        slots.iter().for_each(|slot| slot.refuse());
        inner.leases.close();
        inner.janitor.refuse();
        let (exclusive, forgotten) = (inner.janitor.slots(), inner.janitor.unconfirmed());
        exclusive.iter().for_each(|slot| slot.refuse());
        // Kept, so that those which the janitor ends meanwhile are counted too.
        let mut links: Vec<_> = exclusive.iter().flat_map(|slot| slot.links()).collect();
        inner.stop.cancel();
        let _all_back = timeout_at(patience, inner.leases.until_zero()).await;
        let leases_outstanding = inner.leases.count();

        links.extend(slots.iter().flat_map(|slot| slot.links()));
        let closings = join_all(links.iter().map(|link| link.close(end))).await;
        slots.iter().chain(&exclusive).for_each(|slot| slot.close());
        inner.tasks.close();
        let _joined = timeout_at(end, inner.tasks.wait()).await;

        let closed = closings.iter().filter(|closing| closing.ended).count();
        let report = ShutdownReport {
            leases_outstanding,
            connections_closed: closed,
            connections_left: closings.len() - closed,
            unconfirmed: forgotten + closings.iter().map(|c| c.unconfirmed).sum::<u64>(),
        };
        let took = start.elapsed();
        tracing::info!(?report, ?took, "connections shut down");
        report
    }
}

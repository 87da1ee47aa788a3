//! What a reader gets: a copy of the numbers at one moment.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::Counts;
use super::meter::Meter;
use super::operation::OperationMetrics;
use super::timing::Timing;

/// What connections did since the start or the last reset, and what they are doing; see
/// [`ConnectionService::metrics`](crate::ConnectionService::metrics).
///
/// A connection here is what a scope holds, a lease: three scopes are three active connections on
/// one client. Dials are counted apart. A fresh one is all zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ConnectionMetrics {
    /// Connections that were asked for, whatever came of it; those under way included.
    pub total_connections: u64,
    /// Connections that are out now, clones and subscriptions included. Not touched by a reset.
    pub active_connections: u64,
    /// Connections that could not be had.
    pub failed_connections: u64,
    /// Connections that were had.
    pub successful_connections: u64,
    /// Callers that did not wait for the outcome.
    pub cancelled_connections: u64,
    /// Callers that are waiting now. Not touched by a reset.
    pub connecting: u64,
    /// First connects of clients, failed ones included.
    pub dials: u64,
    /// First connects that failed.
    pub failed_dials: u64,
    /// Connections that were lost and restored.
    pub reconnects: u64,
    /// Bytes of messages received, without the protocol's own.
    pub bytes_in: u64,
    /// Bytes of messages sent, without the protocol's own.
    pub bytes_out: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Messages sent.
    pub messages_out: u64,
    /// Requests and confirmed flushes whose caller did not wait for the reply; each keeps 300 to 400 B
    /// until its client ends, which is replaced after 10,000 of them.
    pub abandoned_requests: u64,
    /// Messages that were published and not confirmed yet. Not touched by a reset.
    pub unconfirmed: u64,
    /// How long callers waited for a connection; zero for those that found it there.
    pub acquire: Timing,
    /// How long first connects took that succeeded.
    pub dial: Timing,
    /// Round trips to the server.
    pub rtt: Timing,
    /// How long it took to hand a message to the client; zero where it was taken at once.
    pub publish: Timing,
    /// How long replies and acknowledgements took.
    pub request: Timing,
    /// How long confirmed flushes took.
    pub flush: Timing,
    /// Operations that were measured by name; empty where the metrics are of one profile.
    pub operations: BTreeMap<String, OperationMetrics>,
}

impl ConnectionMetrics {
    /// The average time of a first connect that succeeded; zero if there was none.
    ///
    /// The time of making a connection, not of what is done with it.
    pub fn average_connection_time(&self) -> Duration {
        self.dial.mean
    }

    /// The share of `total_connections` that failed, from 0.0 to 1.0.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no exact counts")]
    pub fn failure_rate(&self) -> f64 {
        self.failed_connections as f64 / self.total_connections.max(1) as f64
    }
}

/// Adds meters up.
#[derive(Debug, Default)]
pub(super) struct Total {
    sums: ConnectionMetrics,
    acquire: Counts,
    dial: Counts,
    rtt: Counts,
    publish: Counts,
    request: Counts,
    flush: Counts,
}

impl Total {
    pub(super) fn add(&mut self, meter: &Meter) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (sums, traffic) = (&mut self.sums, meter.traffic.sums());
        // First, so that one who is done meanwhile is not missed.
        sums.connecting += read(&meter.connecting);
        sums.active_connections += meter.leases.count() as u64;
        sums.failed_connections += read(&meter.failed);
        sums.cancelled_connections += read(&meter.cancelled);
        sums.failed_dials += read(&meter.dials_failed);
        sums.abandoned_requests += read(&meter.abandoned);
        sums.unconfirmed += meter.traffic.unconfirmed();
        sums.reconnects += traffic.reconnects;
        sums.bytes_in += traffic.bytes_in;
        sums.bytes_out += traffic.bytes_out;
        sums.messages_in += traffic.messages_in;
        sums.messages_out += traffic.messages_out;
        self.acquire.add(&meter.acquire.counts());
        self.acquire.add_at_once(meter.leases.at_once());
        self.publish.add(&meter.publish.counts());
        self.publish
            .add_at_once(meter.handed_at_once(traffic.published));
        self.dial.add(&meter.dial.counts());
        self.rtt.add(&meter.rtt.counts());
        self.request.add(&meter.request.counts());
        self.flush.add(&meter.flush.counts());
    }

    pub(super) fn metrics(self) -> ConnectionMetrics {
        let sums = self.sums;
        let (successful, dialled) = (self.acquire.count(), self.dial.count());
        let ended = successful + sums.failed_connections + sums.cancelled_connections;
        ConnectionMetrics {
            total_connections: ended + sums.connecting,
            successful_connections: successful,
            dials: dialled + sums.failed_dials,
            acquire: Timing::of(&self.acquire),
            dial: Timing::of(&self.dial),
            rtt: Timing::of(&self.rtt),
            publish: Timing::of(&self.publish),
            request: Timing::of(&self.request),
            flush: Timing::of(&self.flush),
            ..sums
        }
    }
}

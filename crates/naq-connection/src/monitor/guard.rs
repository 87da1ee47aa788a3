//! Connections that are counted by hand.

use std::sync::Arc;
use std::time::Duration;

use super::leases::{Key, Place};
use super::meter::{Attempt, Meter};

/// An attempt to connect; see [`ConnectionMonitor::connecting`](super::ConnectionMonitor::connecting).
///
/// Dropped without an outcome it counts as cancelled, not as failed.
#[derive(Debug)]
#[must_use = "dropped, it counts as cancelled"]
pub struct Connecting {
    pub(super) attempt: Attempt,
    pub(super) place: Place,
}

impl Connecting {
    /// The connection is there; it is active until the guard is dropped. The time since
    /// [`connecting`](super::ConnectionMonitor::connecting) is its connection time.
    pub fn succeeded(self) -> Connected {
        let took = self.attempt.elapsed();
        self.succeeded_in(took)
    }

    /// As [`succeeded`](Self::succeeded), with a connection time that was measured otherwise.
    pub fn succeeded_in(self, took: Duration) -> Connected {
        let meter = Arc::clone(&self.attempt.meter);
        meter.dialled(took);
        let key = meter.enter(self.place);
        self.attempt.succeeded(took);
        Connected { meter, key }
    }

    /// The connection could not be made.
    pub fn failed(self) {
        self.attempt.meter.dial_failed();
        self.attempt.failed();
    }
}

/// A connection that is active until this is dropped.
#[derive(Debug)]
#[must_use = "dropped, the connection is not active any more"]
pub struct Connected {
    meter: Arc<Meter>,
    key: Key,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.meter.leave(self.key);
    }
}

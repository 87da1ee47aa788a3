//! The lease of one job, as far as the worker can know it: pure arithmetic on a monotonic clock.
//!
//! ```text
//!              a third of ack_wait passed              confirmed
//!   HELD ─────────────────────────────────► DUE ─────────────────────► HELD (from when it was sent)
//!     │                                      │
//!     └────────── ack_wait since the last confirmed sign of life ──────┴──► LAPSED (for ever)
//! ```
//!
//! The server's timer starts when it sends the job, ours when we read it, so ours counts from a moment that is later
//! by the way between them. Renewing at a third leaves room for that; the fence covers the rest.

use std::time::Duration;

use tokio::time::Instant;

/// The lease of one job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    confirmed: Instant,
    ack_wait: Duration,
    lapsed: bool,
}

impl Lease {
    /// A lease that was granted now.
    pub(super) fn new(now: Instant, ack_wait: Duration) -> Self {
        Self {
            confirmed: now,
            ack_wait,
            lapsed: false,
        }
    }

    /// The lease time of the queue has changed; the server counts from the last sign of life, and so does this.
    pub(super) fn set_ack_wait(&mut self, ack_wait: Duration) {
        self.ack_wait = ack_wait;
    }

    /// Whether a sign of life is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.confirmed) >= self.ack_wait / 3
    }

    /// The server confirmed a sign of life that was sent at `sent`. A lapsed lease stays lapsed: the job may already
    /// be another worker's, and the server would confirm anybody's sign of life.
    pub(super) fn renewed(&mut self, sent: Instant, now: Instant) {
        if !self.check(now) && sent > self.confirmed {
            self.confirmed = sent;
        }
    }

    /// Whether the lease has lapsed by `now`; once true, always true.
    pub(super) fn check(&mut self, now: Instant) -> bool {
        self.lapsed |= now.saturating_duration_since(self.confirmed) >= self.ack_wait;
        self.lapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    #[test]
    fn a_lease_lapses_without_a_confirmed_sign_of_life() {
        let start = Instant::now();
        let mut lease = Lease::new(start, WAIT);
        assert!(!lease.is_due(start + WAIT / 4));
        assert!(lease.is_due(start + WAIT / 3));
        assert!(!lease.check(start + WAIT - Duration::from_millis(1)));
        assert!(lease.check(start + WAIT));
    }

    #[test]
    fn a_renewal_counts_from_when_it_was_sent() {
        let start = Instant::now();
        let mut lease = Lease::new(start, WAIT);
        lease.renewed(start + WAIT / 3, start + WAIT / 2);
        assert!(!lease.check(start + WAIT));
        assert!(lease.check(start + WAIT + WAIT / 3));
    }

    #[test]
    fn a_lapsed_lease_cannot_be_renewed() {
        let start = Instant::now();
        let mut lease = Lease::new(start, WAIT);
        lease.renewed(start + WAIT / 3, start + WAIT * 2);
        assert!(lease.check(start + WAIT / 2));
    }
}

//! What a series of checks means, as a pure state machine.
//!
//! ```text
//!              ok                   failed
//!  Unknown ─────────► Healthy ◄──────────────► Unhealthy
//!     │                              ok            ▲
//!     └────────────────────────────────────────────┘
//!                        failed
//! ```
//!
//! Every arrow is told once; a check that finds what the one before found is no arrow. There is no
//! damping: a check is a round trip within a deadline, not a sample.

use super::report::{Health, HealthState};
use crate::error::ConnectionErrorKind;

#[derive(Debug)]
pub(super) struct Machine {
    health: Health,
}

/// What one check has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing but the times.
    Same,
    /// The state: it must be told.
    Changed,
}

impl Machine {
    pub(super) fn new(health: Health) -> Self {
        Self { health }
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    pub(super) fn observe(&mut self, mut found: Health) -> Step {
        let step = if found.state == self.health.state {
            Step::Same
        } else {
            Step::Changed
        };
        if found.last_error.is_none() {
            found.last_error = self.health.last_error.take();
        }
        self.health = found;
        step
    }

    /// Whether no later check can find anything else: the service gives no connections any more.
    pub(super) fn is_over(&self) -> bool {
        let error = self.health.last_error.as_ref();
        self.health.state == HealthState::Unhealthy
            && error.is_some_and(|error| *error.kind() == ConnectionErrorKind::ShuttingDown)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::ConnectionError;

    fn ok() -> Health {
        Health::found(Ok(Duration::from_millis(1)), 1)
    }

    fn failed(kind: ConnectionErrorKind) -> Health {
        Health::found(Err(ConnectionError::new(kind, "as planned")), 1)
    }

    #[test]
    fn each_transition_is_told_once_and_the_first_finding_is_one() {
        let down = || failed(ConnectionErrorKind::NotConnected);
        let mut machine = Machine::new(Health::unknown(0));
        let series = [ok(), ok(), down(), down(), ok(), down()];
        let told = series.map(|found| machine.observe(found) == Step::Changed);
        assert_eq!(told, [true, false, true, false, true, true]);
        let mut machine = Machine::new(Health::unknown(0));
        assert_eq!(machine.observe(down()), Step::Changed);
    }

    #[test]
    fn the_last_failure_outlives_the_recovery() {
        let mut machine = Machine::new(Health::unknown(0));
        machine.observe(failed(ConnectionErrorKind::NotConnected));
        machine.observe(ok());
        machine.observe(ok());
        let health = machine.health();
        assert!(health.is_healthy() && health.last_error.is_some());
    }

    #[test]
    fn only_the_end_of_the_service_is_an_end() {
        let mut machine = Machine::new(Health::unknown(0));
        machine.observe(failed(ConnectionErrorKind::AuthFailed));
        assert!(!machine.is_over());
        machine.observe(failed(ConnectionErrorKind::ShuttingDown));
        assert!(machine.is_over());
    }
}

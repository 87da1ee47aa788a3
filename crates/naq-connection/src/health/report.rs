//! What a check finds.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::error::ConnectionError;

/// Health of a profile's connection at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// What the check found.
    pub state: HealthState,
    /// Time of the confirmed round trip; `None` unless healthy.
    pub rtt: Option<Duration>,
    /// The epoch of the connection (see [`State::epoch`](crate::State::epoch)); 0 before the first.
    pub epoch: u64,
    /// Why the check failed. A [`HealthChecker`](super::HealthChecker) keeps the last failure when
    /// all is well again.
    pub last_error: Option<ConnectionError>,
    /// When the check ended.
    pub checked_at: SystemTime,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthState {
    /// Nothing was checked yet.
    Unknown,
    /// The server has answered on the live connection.
    Healthy,
    /// There is no connection, or the server has not answered on it in time.
    Unhealthy,
}

impl Health {
    pub(super) fn unknown(epoch: u64) -> Self {
        Self {
            state: HealthState::Unknown,
            rtt: None,
            epoch,
            last_error: None,
            checked_at: SystemTime::now(),
        }
    }

    pub(super) fn found(outcome: Result<Duration, ConnectionError>, epoch: u64) -> Self {
        let (state, rtt, last_error) = match outcome {
            Ok(rtt) => (HealthState::Healthy, Some(rtt), None),
            Err(error) => (HealthState::Unhealthy, None, Some(error)),
        };
        Self {
            state,
            rtt,
            last_error,
            ..Self::unknown(epoch)
        }
    }

    /// Whether the server has answered.
    pub fn is_healthy(&self) -> bool {
        self.state == HealthState::Healthy
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        })
    }
}

//! A moment, or a time from now.

use std::time::{Duration, SystemTime};

/// When a job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    In(Duration),
    At(SystemTime),
}

impl Due {
    /// The instant, seen from `now`.
    pub(crate) fn instant(self, now: SystemTime) -> SystemTime {
        match self {
            Self::In(delay) => now.checked_add(delay).unwrap_or(now),
            Self::At(time) => time,
        }
    }
}

//! What the user wants when a firing is late, or comes while the last job still runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What becomes of firings that no worker or server was there for. A firing counts as missed when it is handled more
/// than 30 seconds late, with an interval below one second more than one second late; up to that, each one runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// Missed firings are left out.
    None,
    /// All missed firings together run once, as the newest of them.
    #[default]
    One,
    /// The newest missed firings run, the oldest first.
    All {
        /// At most so many, 1 to 100.
        most: u16,
        /// Those that are not older than this, in whole seconds.
        #[serde(rename = "within_s", with = "whole_seconds")]
        within: Duration,
    },
}

/// What becomes of a firing while the last job of the schedule waits or runs, retries included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overlap {
    /// It runs beside it.
    #[default]
    Allow,
    /// It is left out, and counted as skipped.
    Skip,
    /// It is kept back until the last job has ended. One at a time is kept, the first one; others are left out.
    Queue,
}

mod whole_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(span.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

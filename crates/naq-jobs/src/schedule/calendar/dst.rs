//! Time zones, and what the user wants when their clocks change.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::error::InvalidZone;

/// What happens to local times that a change of the clocks skips (a gap, in spring) or repeats (a fold, in autumn).
///
/// | | a time in a gap | a time in a fold |
/// |---|---|---|
/// | `Skip` | does not fire | fires in the first pass |
/// | `Once` | fires when the gap ends | fires in the first pass |
/// | `Twice` | fires when the gap ends | fires in both passes |
///
/// Several times in one gap fire together, once. A gap ends at the moment of the change: at 03:00 if the clock goes from
/// 02:00 to 03:00, at 01:00 of the same day where it goes from 24:00 to 01:00.
///
/// A cron expression with all 24 hours (`*/10 * * * *`) is meant as a span of time: there nothing is made up for a gap,
/// and a fold is simply an hour more, whatever the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dst {
    /// At most once.
    Skip,
    /// Exactly once.
    #[default]
    Once,
    /// At least once.
    Twice,
}

/// What a change of the clocks did to a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DstMark {
    /// Nothing.
    #[default]
    None,
    /// Its local time was skipped by the clock; it fires at the end of the gap.
    MadeUp,
    /// Its local time comes twice; this is the first pass.
    FirstPass,
    /// Its local time comes twice; this is the second pass.
    SecondPass,
}

/// A time zone of the IANA database, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    pub(super) zone: TimeZone,
}

impl Zone {
    /// Looks a zone up: in the system's database, or else in the one that is built in.
    ///
    /// # Errors
    /// [`InvalidZone`] if neither has it.
    pub fn new(name: &str) -> Result<Self, InvalidZone> {
        let zone = TimeZone::get(name).map_err(|_| InvalidZone(name.to_owned()))?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(Self { name, zone })
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }

    /// The name of the zone.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Dst {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::Twice => "twice",
        }
    }
}

impl fmt::Display for Dst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

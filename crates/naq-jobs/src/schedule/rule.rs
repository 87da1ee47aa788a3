//! The rule of a schedule on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::calendar::{Dst, Rule, Timetable, TimetableError};

/// The rule on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireRule {
    Cron {
        text: String,
        zone: String,
        dst: Dst,
    },
    Every {
        seconds: u64,
        /// Added to the seconds; only below one second.
        #[serde(default, skip_serializing_if = "is_zero")]
        millis: u16,
        anchor_s: i64,
    },
}

impl From<&Rule> for WireRule {
    fn from(rule: &Rule) -> Self {
        match rule {
            Rule::Cron { cron, zone, dst } => Self::Cron {
                text: cron.to_string(),
                zone: zone.name().to_owned(),
                dst: *dst,
            },
            Rule::Every { millis, anchor } => Self::Every {
                seconds: u64::try_from(*millis / 1000).unwrap_or(0),
                millis: u16::try_from(*millis % 1000).unwrap_or(0),
                anchor_s: anchor.as_second(),
            },
        }
    }
}

impl WireRule {
    /// The timetable, without bounds.
    pub(super) fn timetable(&self) -> Result<Timetable, TimetableError> {
        Ok(match self {
            Self::Cron { text, zone, dst } => Timetable::cron(text)?.zone(zone)?.dst(*dst),
            Self::Every { anchor_s, .. } => {
                let anchor = instant(*anchor_s, "anchor")?;
                Timetable::every(self.interval().unwrap_or_default(), anchor.into())?
            }
        })
    }

    /// The time between two firings, if it is always the same.
    pub(super) fn interval(&self) -> Option<std::time::Duration> {
        match self {
            Self::Cron { .. } => None,
            Self::Every {
                seconds, millis, ..
            } => {
                let whole = std::time::Duration::from_secs(*seconds);
                Some(whole + std::time::Duration::from_millis(u64::from(*millis)))
            }
        }
    }

    /// Whether it fires more often than the server's schedules can.
    pub(super) fn is_fast(&self) -> bool {
        matches!(self, Self::Every { seconds: 0, .. })
    }
}

/// For fields that are left out if they say nothing.
pub(super) fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// The instant `seconds` after 1970.
pub(super) fn instant(seconds: i64, what: &'static str) -> Result<Timestamp, TimetableError> {
    Timestamp::from_second(seconds).map_err(|_| TimetableError::Time(what))
}

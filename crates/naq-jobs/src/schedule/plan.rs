//! The parts of a schedule as a user writes them, for a new one and for a change.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::calendar::{Dst, Timetable, TimetableError};
use super::policy::{CatchUp, Overlap};
use super::record::Record;
use super::rule::WireRule;
use crate::{JobsError, JobsErrorKind};

/// Longest jitter: a day.
const MAX_JITTER: Duration = Duration::from_secs(24 * 3600);

/// When a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    Cron(String),
    Every(Duration),
}

/// What a schedule shall be, or what of it shall change; what is not said stays, or has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleChange {
    when: Option<When>,
    zone: Option<String>,
    dst: Option<Dst>,
    start: Option<SystemTime>,
    end: Option<SystemTime>,
    repeat: Option<u64>,
    jitter: Option<Duration>,
    catch_up: Option<CatchUp>,
    overlap: Option<Overlap>,
}

impl ScheduleChange {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// At the times of a cron expression; see [`crate::Cron`].
    #[must_use]
    pub fn cron(mut self, text: impl Into<String>) -> Self {
        self.when = Some(When::Cron(text.into()));
        self
    }

    /// Each `interval`, in whole seconds, or from 50 milliseconds on below one second; the first time one interval after now, or at [`Self::start`].
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.when = Some(When::Every(interval));
        self
    }

    /// The time zone of the cron expression, a name of the IANA database; default UTC.
    #[must_use]
    pub fn zone(mut self, name: impl Into<String>) -> Self {
        self.zone = Some(name.into());
        self
    }

    /// What happens when the clocks change; default [`Dst::Once`].
    #[must_use]
    pub fn dst(mut self, policy: Dst) -> Self {
        self.dst = Some(policy);
        self
    }

    /// No firing before this time.
    #[must_use]
    pub fn start(mut self, time: SystemTime) -> Self {
        self.start = Some(time);
        self
    }

    /// No firing after this time.
    #[must_use]
    pub fn end(mut self, time: SystemTime) -> Self {
        self.end = Some(time);
        self
    }

    /// So many jobs in all, then it is finished; default: no limit.
    #[must_use]
    pub fn repeat(mut self, jobs: u64) -> Self {
        self.repeat = Some(jobs);
        self
    }

    /// Fires up to so much later, in whole seconds, at most a day: the same for the same schedule and instant.
    #[must_use]
    pub fn jitter(mut self, most: Duration) -> Self {
        self.jitter = Some(most);
        self
    }

    /// What becomes of missed firings; default [`CatchUp::One`].
    #[must_use]
    pub fn catch_up(mut self, policy: CatchUp) -> Self {
        self.catch_up = Some(policy);
        self
    }

    /// What becomes of a firing while the last job still runs; default [`Overlap::Allow`].
    #[must_use]
    pub fn overlap(mut self, policy: Overlap) -> Self {
        self.overlap = Some(policy);
        self
    }

    /// Whether it says when a schedule fires.
    pub(super) fn has_rule(&self) -> bool {
        self.when.is_some()
    }

    /// Takes the change over into `record`, at `now`; gives the new timetable.
    pub(super) fn apply(
        &self,
        record: &mut Record,
        now: Timestamp,
    ) -> Result<Timetable, JobsError> {
        let table = self.timetable(record, now).map_err(|error| {
            JobsError::new(JobsErrorKind::InvalidSchedule, "plan a schedule").because(error)
        })?;
        record.set_timetable(&table);
        if let Some(jitter) = self.jitter {
            if jitter > MAX_JITTER || jitter.subsec_nanos() > 0 {
                return Err(invalid("a jitter is whole seconds, at most a day"));
            }
            record.jitter_s = u32::try_from(jitter.as_secs()).unwrap_or(0);
        }
        if record.jitter_s > 0 && record.rule.is_fast() {
            return Err(invalid("an interval below one second has no jitter"));
        }
        if let Some(repeat) = self.repeat {
            if repeat == 0 {
                return Err(invalid("a repeat count is 1 or more"));
            }
            record.remaining = Some(repeat);
        }
        if let Some(CatchUp::All { most, .. }) = self.catch_up
            && !(1..=100).contains(&most)
        {
            return Err(invalid("`CatchUp::All` takes 1 to 100 firings"));
        }
        record.catch_up = self.catch_up.unwrap_or(record.catch_up);
        record.overlap = self.overlap.unwrap_or(record.overlap);
        record.v = record.version();
        Ok(table)
    }

    fn timetable(&self, record: &Record, now: Timestamp) -> Result<Timetable, TimetableError> {
        let old = record.timetable()?;
        let (old_zone, old_dst) = match &record.rule {
            WireRule::Cron { zone, dst, .. } => (zone.as_str(), *dst),
            WireRule::Every { .. } => ("UTC", Dst::default()),
        };
        let zone = self.zone.as_deref().unwrap_or(old_zone);
        let dst = self.dst.unwrap_or(old_dst);
        let mut table = match (&self.when, &record.rule) {
            (Some(When::Cron(text)), _) | (None, WireRule::Cron { text, .. }) => {
                Timetable::cron(text)?.zone(zone)?.dst(dst)
            }
            (Some(When::Every(interval)), _) => Timetable::every(*interval, now.into())?,
            (None, WireRule::Every { .. }) => old.clone(),
        };
        (table.start, table.end) = (old.start, old.end);
        if let Some(start) = self.start {
            table = table.start(start)?.counted_from_start();
        }
        if let Some(end) = self.end {
            table = table.end(end)?;
        }
        Ok(table)
    }
}

fn invalid(what: &str) -> JobsError {
    JobsError::new(
        JobsErrorKind::InvalidSchedule,
        format!("plan a schedule: {what}"),
    )
}

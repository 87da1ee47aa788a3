//! A schedule as it is shown.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

use super::calendar::{Dst, Firing, Timetable};
use super::policy::{CatchUp, Overlap};
use super::record::{Record, ScheduleState};
use super::rule::WireRule;
use super::store::timetable;
use crate::JobsError;
use crate::model::{Priority, ScheduleName};
use crate::wire::decode;

/// A schedule as it was when it was read.
#[derive(Debug, Clone)]
pub struct Schedule {
    name: ScheduleName,
    record: Record,
    table: Timetable,
}

/// When a schedule fires, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScheduleRule {
    /// At the times of a cron expression.
    Cron {
        /// The expression.
        text: String,
        /// The name of its time zone.
        zone: String,
        /// What happens when the clocks change.
        dst: Dst,
    },
    /// Each interval.
    Every(Duration),
}

impl Schedule {
    pub(super) fn new(name: ScheduleName, record: Record) -> Result<Self, JobsError> {
        let table = timetable(&name, &record)?;
        Ok(Self {
            name,
            record,
            table,
        })
    }

    /// Its name.
    pub fn name(&self) -> &ScheduleName {
        &self.name
    }

    /// Whether it fires.
    pub fn state(&self) -> ScheduleState {
        self.record.state
    }

    /// When it fires.
    pub fn rule(&self) -> ScheduleRule {
        match &self.record.rule {
            WireRule::Cron { text, zone, dst } => ScheduleRule::Cron {
                text: text.clone(),
                zone: zone.clone(),
                dst: *dst,
            },
            every @ WireRule::Every { .. } => {
                ScheduleRule::Every(every.interval().unwrap_or_default())
            }
        }
    }

    /// The time zone that its times are meant in.
    pub fn zone(&self) -> &str {
        match &self.record.rule {
            WireRule::Cron { zone, .. } => zone,
            WireRule::Every { .. } => "UTC",
        }
    }

    /// The kind of its jobs.
    pub fn kind(&self) -> String {
        let envelope = decode(self.record.job.get().as_bytes());
        envelope.map_or_else(|_| "?".to_owned(), |envelope| envelope.kind.to_string())
    }

    /// The queue of its jobs.
    pub fn queue(&self) -> &str {
        &self.record.queue
    }

    /// The instant of its next firing, without jitter; `None` unless it is active.
    pub fn next(&self) -> Option<SystemTime> {
        self.record.next().map(SystemTime::from)
    }

    /// The next firings, at most `count`, and no more than runs are left.
    pub fn next_firings(&self, count: usize) -> Vec<Firing> {
        let is_active = self.record.state == ScheduleState::Active;
        let next = self.record.next().filter(|_| is_active);
        let just_before = |at: Timestamp| at.checked_sub(SignedDuration::from_millis(1)).ok();
        let Some(next) = next.and_then(just_before) else {
            return Vec::new();
        };
        let left = self.record.remaining.unwrap_or(u64::MAX);
        let count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.table.firings_after(next.into()).take(count).collect()
    }

    /// Runs that are left; `None` without a limit.
    pub fn remaining(&self) -> Option<u64> {
        self.record.remaining
    }

    /// Jobs that it has made.
    pub fn runs(&self) -> u64 {
        self.record.runs
    }

    /// Firings that were left out since the last job still ran.
    pub fn skipped(&self) -> u64 {
        self.record.skipped
    }

    /// The instant and the id of the last job that it made.
    pub fn last_run(&self) -> Option<(SystemTime, &str)> {
        let last = self.record.last.as_ref()?;
        let at = time(last.at_s)? + Duration::from_millis(last.at_ms.into());
        Some((at, &last.job_id))
    }

    /// The last job that a firing has made, and the one that it was kept back for; only while overlap is not allowed.
    pub fn last_fired(&self) -> Option<(&str, Option<&str>)> {
        let last = self.record.last_fired.as_ref()?;
        Some((&last.job_id, last.after.as_deref()))
    }

    /// The priority of its jobs.
    pub fn priority(&self) -> Priority {
        self.record.priority()
    }

    /// The headers of its jobs.
    pub fn headers(&self) -> &BTreeMap<String, Vec<String>> {
        &self.record.headers
    }

    /// Most time by which a firing is later than its instant.
    pub fn jitter(&self) -> Duration {
        Duration::from_secs(self.record.jitter_s.into())
    }

    /// What becomes of missed firings.
    pub fn catch_up(&self) -> CatchUp {
        self.record.catch_up
    }

    /// What becomes of a firing while the last job still runs.
    pub fn overlap(&self) -> Overlap {
        self.record.overlap
    }

    /// No firing before this time.
    pub fn start(&self) -> Option<SystemTime> {
        time(self.record.start_s?)
    }

    /// No firing after this time.
    pub fn end(&self) -> Option<SystemTime> {
        time(self.record.end_s?)
    }
}

fn time(seconds: i64) -> Option<SystemTime> {
    Timestamp::from_second(seconds).ok().map(SystemTime::from)
}

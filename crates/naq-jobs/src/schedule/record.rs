//! What the server keeps of a schedule: the JSON on `naq.recurring.<name>`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::calendar::{Timetable, TimetableError};
use super::policy::{CatchUp, Overlap};
use super::rule::{WireRule, instant, is_zero};
use super::run::{LastFired, LastRun, Run};
use crate::model::{Priority, ScheduleName};
use crate::wire::{fnv, headers};

/// The newest version that this build reads.
pub(super) const VERSION: u32 = 2;

/// Written as long as the record says nothing that a program of this version would have to obey.
pub(super) const FIRST_VERSION: u32 = 1;

/// The state of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleState {
    /// It fires.
    Active,
    /// It was paused, and does not fire until it is resumed.
    Paused,
    /// It has had its last firing. It is kept as long as results are.
    Finished,
}

/// The record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) v: u32,
    pub(super) state: ScheduleState,
    pub(super) rule: WireRule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start_s: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end_s: Option<i64>,
    /// Runs that are left; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) remaining: Option<u64>,
    #[serde(default)]
    pub(super) jitter_s: u32,
    #[serde(default)]
    pub(super) catch_up: CatchUp,
    #[serde(default)]
    pub(super) overlap: Overlap,
    pub(super) queue: String,
    /// The envelope of its jobs.
    pub(super) job: Box<RawValue>,
    /// The headers of its jobs, as enqueueing such a job would write them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, Vec<String>>,
    /// The firing that is armed, if it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next_s: Option<i64>,
    /// Milliseconds of it, below one second.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) next_ms: u16,
    #[serde(default)]
    pub(super) runs: u64,
    #[serde(default)]
    pub(super) skipped: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<LastRun>,
    /// Kept unless its jobs may overlap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_fired: Option<LastFired>,
    /// Who makes the firings of a short interval, by a timer of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) beat: Option<u64>,
    pub(super) created_s: i64,
    /// Another one with each change: a firing that was armed for an older one is stale.
    pub(super) turn: u64,
}

/// A record as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Versioned {
    pub(super) record: Record,
    pub(super) sequence: u64,
}

impl Record {
    /// The timetable that it describes.
    pub(super) fn timetable(&self) -> Result<Timetable, TimetableError> {
        let mut table = self.rule.timetable()?;
        table.start = self.start_s.map(|s| instant(s, "start")).transpose()?;
        table.end = self.end_s.map(|s| instant(s, "end")).transpose()?;
        Ok(table)
    }

    /// Takes over the rule and bounds of a timetable.
    pub(super) fn set_timetable(&mut self, table: &Timetable) {
        self.rule = WireRule::from(&table.rule);
        self.start_s = table.start.map(Timestamp::as_second);
        self.end_s = table.end.map(Timestamp::as_second);
    }

    /// The version in which it has to be written: a program that knows only an older one must not touch it.
    pub(super) fn version(&self) -> u32 {
        let is_plain = self.headers.is_empty() && !self.rule.is_fast();
        match is_plain && self.overlap != Overlap::Queue {
            true => FIRST_VERSION,
            false => VERSION,
        }
    }

    /// The firing that is next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let millis = self.next_s?.checked_mul(1000)?;
        Timestamp::from_millisecond(millis + i64::from(self.next_ms)).ok()
    }

    /// Sets the firing that is next, or ends the schedule.
    pub(super) fn set_next(&mut self, next: Option<Timestamp>) {
        self.next_s = next.map(Timestamp::as_second);
        let millis = next.map(|next| u16::try_from(next.subsec_millisecond()).unwrap_or(0));
        self.next_ms = millis.unwrap_or(0);
        if next.is_none() && self.state == ScheduleState::Active {
            self.state = ScheduleState::Finished;
        }
    }

    /// The priority of its jobs.
    pub(super) fn priority(&self) -> Priority {
        let words = self.headers.get(headers::PRIORITY);
        Priority::read(words.and_then(|words| words.first()).map(String::as_str))
    }

    /// When the server shall fire for the instant `at`: with the jitter of this schedule and instant, the same everywhere.
    pub(super) fn due(&self, name: &ScheduleName, at: Timestamp) -> Timestamp {
        if self.jitter_s == 0 {
            return at;
        }
        let hash = fnv(name.as_str().bytes().chain(at.as_second().to_be_bytes()));
        // The low digits alone would depend on the last bytes only.
        let hash = hash ^ (hash >> 32);
        let spread = i64::try_from(hash % (u64::from(self.jitter_s) + 1)).unwrap_or(0);
        at.checked_add(jiff::SignedDuration::from_secs(spread))
            .unwrap_or(at)
    }

    /// Keeps the newest of `runs` as the last one.
    pub(super) fn note_last(&mut self, runs: &[Run]) {
        self.last = runs.last().map(LastRun::from).or(self.last.take());
    }

    /// As [`Self::note_last`], for jobs of a firing.
    pub(super) fn note_fired(&mut self, runs: &[Run]) {
        self.note_last(runs);
        self.last_fired = match self.overlap {
            Overlap::Allow => None,
            _ => runs.last().map(LastFired::from).or(self.last_fired.take()),
        };
    }

    /// The envelope of a job that is made at `now_ms`.
    pub(super) fn envelope(&self, now_ms: u64) -> Result<Vec<u8>, serde_json::Error> {
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(self.job.get())?;
        fields.insert(
            "enqueued_at_ms".to_owned(),
            serde_json::value::to_raw_value(&now_ms)?,
        );
        if self.overlap == Overlap::Queue {
            fields.insert(
                "awaited".to_owned(),
                serde_json::value::to_raw_value(&true)?,
            );
        }
        // In the record these count from the making of a job.
        for name in ["expires_at_ms", "deadline_ms"] {
            if let Some(after) = fields.get_mut(name) {
                let after_ms: u64 = serde_json::from_str(after.get())?;
                *after = serde_json::value::to_raw_value(&now_ms.saturating_add(after_ms))?;
            }
        }
        serde_json::to_vec(&fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        record: Record,
        after_s: i64,
        firings_s: Vec<i64>,
        due_s: Vec<i64>,
        job_ids: Vec<String>,
    }

    /// The vectors for other languages.
    #[test]
    fn the_vectors_hold() {
        let text = include_str!("../../../../docs/reference/schedule-vectors.json");
        let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
        assert!(vectors.len() >= 4);
        for vector in vectors {
            let name = ScheduleName::new(vector.name).unwrap();
            let table = vector.record.timetable().unwrap();
            let after = Timestamp::from_second(vector.after_s).unwrap();
            let firings = table.firings_after(after.into());
            let firings: Vec<Timestamp> = firings
                .take(vector.firings_s.len())
                .map(|firing| firing.at)
                .collect();
            let seconds =
                |all: &[Timestamp]| all.iter().map(|at| at.as_second()).collect::<Vec<_>>();
            assert_eq!(seconds(&firings), vector.firings_s, "{name}");
            let due: Vec<Timestamp> = firings
                .iter()
                .map(|at| vector.record.due(&name, *at))
                .collect();
            assert_eq!(seconds(&due), vector.due_s, "{name}");
            let ids: Vec<String> = firings
                .iter()
                .map(|at| Run::fired(&name, *at).unwrap().id.to_string())
                .collect();
            assert_eq!(ids, vector.job_ids, "{name}");
        }
    }

    #[test]
    fn an_envelope_gets_the_time_of_its_job_and_keeps_the_rest() {
        let text = include_str!("../../../../docs/reference/schedule-vectors.json");
        let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
        let body = vectors[0].record.envelope(1_763_762_400_123).unwrap();
        let envelope = crate::wire::decode(&body).unwrap();
        assert_eq!(envelope.kind.as_str(), "report");
        assert_eq!(envelope.payload.get(), r#"{"of": "sales"}"#);
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_763_762_400_123);
        assert_eq!(envelope.enqueued_at, Some(at));
    }
}

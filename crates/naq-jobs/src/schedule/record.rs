//! What the server keeps of a schedule: the JSON on `naq.recurring.<name>`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::calendar::{Dst, Rule, Timetable, TimetableError};
use super::policy::{CatchUp, Overlap};
use crate::model::{JobId, ScheduleName};
use crate::traces::Sending;
use crate::wire::fnv;

/// The version that this build writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

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
    /// The firing that is armed, if it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next_s: Option<i64>,
    #[serde(default)]
    pub(super) runs: u64,
    #[serde(default)]
    pub(super) skipped: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<LastRun>,
    pub(super) created_s: i64,
    /// Another one with each change: a firing that was armed for an older one is stale.
    pub(super) turn: u64,
}

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
        anchor_s: i64,
    },
}

/// A job that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) at: Timestamp,
    pub(super) id: JobId,
    /// Its trace, if somebody makes spans.
    pub(super) sending: Option<Arc<Sending>>,
}

/// The last job that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastRun {
    pub(super) at_s: i64,
    pub(super) job_id: String,
}

impl From<&Rule> for WireRule {
    fn from(rule: &Rule) -> Self {
        match rule {
            Rule::Cron { cron, zone, dst } => Self::Cron {
                text: cron.to_string(),
                zone: zone.name().to_owned(),
                dst: *dst,
            },
            Rule::Every { seconds, anchor } => Self::Every {
                seconds: u64::try_from(*seconds).unwrap_or(1),
                anchor_s: anchor.as_second(),
            },
        }
    }
}

impl Record {
    /// The timetable that it describes.
    pub(super) fn timetable(&self) -> Result<Timetable, TimetableError> {
        let mut table = match &self.rule {
            WireRule::Cron { text, zone, dst } => Timetable::cron(text)?.zone(zone)?.dst(*dst),
            WireRule::Every { seconds, anchor_s } => Timetable::every(
                std::time::Duration::from_secs(*seconds),
                instant(*anchor_s, "anchor")?.into(),
            )?,
        };
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

    /// Sets the firing that is next, or ends the schedule.
    pub(super) fn set_next(&mut self, next: Option<Timestamp>) {
        self.next_s = next.map(Timestamp::as_second);
        if next.is_none() && self.state == ScheduleState::Active {
            self.state = ScheduleState::Finished;
        }
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
        if let Some(run) = runs.last() {
            self.last = Some(LastRun {
                at_s: run.at.as_second(),
                job_id: run.id.to_string(),
            });
        }
    }

    /// The envelope of a job that is made at `now_ms`.
    pub(super) fn envelope(&self, now_ms: u64) -> Result<Vec<u8>, serde_json::Error> {
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(self.job.get())?;
        fields.insert(
            "enqueued_at_ms".to_owned(),
            serde_json::value::to_raw_value(&now_ms)?,
        );
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

impl Run {
    /// The run of a firing: its job's id names the schedule and the instant, in UTC.
    pub(super) fn fired(name: &ScheduleName, at: Timestamp) -> Option<Self> {
        let id = JobId::new(format!("{name}-{}", at.strftime("%Y%m%dT%H%M%SZ"))).ok()?;
        let sending = None;
        Some(Self { at, id, sending })
    }

    /// A run that somebody asked for at `now`.
    pub(super) fn triggered(name: &ScheduleName, now: Timestamp) -> Option<Self> {
        let id = JobId::new(format!("{name}-t{}", now.as_millisecond())).ok()?;
        let (at, sending) = (now, None);
        Some(Self { at, id, sending })
    }
}

fn instant(seconds: i64, what: &'static str) -> Result<Timestamp, TimetableError> {
    Timestamp::from_second(seconds).map_err(|_| TimetableError::Time(what))
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

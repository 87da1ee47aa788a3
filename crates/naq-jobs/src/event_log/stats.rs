//! How much has happened, from the counters.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::counters::BUSY;
use crate::JobsError;
use crate::events::EventType;
use crate::server::{Link, Stored, page};
use crate::wire::Names;

/// Hours that are read at the same time, and counters that one request brings.
const HOURS: usize = 8;
const PAGE: usize = 1000;

/// By what the numbers are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatsBy {
    /// One row for each queue.
    Queue,
    /// One row for each kind.
    Kind,
    /// One row for each worker.
    Worker,
    /// One row for each hour.
    Hour,
}

/// What has happened, added up.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EventStats {
    /// Hours that were looked at, the current one included.
    pub hours: u32,
    /// The rows, sorted by what they stand for.
    pub rows: Vec<StatsRow>,
}

/// One row; what it is not added up by is empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct StatsRow {
    /// The beginning of the hour, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour_s: Option<u64>,
    /// The queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Events of each type.
    pub counts: BTreeMap<EventType, u64>,
    /// Summed time of the attempts that ended, in milliseconds.
    pub busy_ms: u64,
}

impl StatsRow {
    /// Events of a type.
    pub fn count(&self, event_type: EventType) -> u64 {
        self.counts.get(&event_type).copied().unwrap_or(0)
    }

    /// Share of the jobs that failed for good among those that ended, cancelled ones left out: 0 to 1; `None` if none ended.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
    pub fn failure_rate(&self) -> Option<f64> {
        let failed = self.count(EventType::Failed);
        let ended = failed + self.count(EventType::Completed);
        (ended > 0).then(|| failed as f64 / ended as f64)
    }

    /// Mean time of an attempt that ended; `None` if there was none.
    pub fn mean_duration(&self) -> Option<Duration> {
        let ended = self.counts.iter().filter(|(known, _)| known.ends_attempt());
        let attempts: u64 = ended.map(|(_, count)| count).sum();
        Some(Duration::from_millis(self.busy_ms.checked_div(attempts)?))
    }
}

#[derive(Deserialize)]
struct Value {
    val: String,
}

pub(super) async fn read(link: &Link, hours: u32, by: &[StatsBy]) -> Result<EventStats, JobsError> {
    let hours = hours.max(1);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.unwrap_or_default().as_secs() / 3600;
    let first = (now + 1).saturating_sub(u64::from(hours));
    let found: Vec<Vec<Stored>> = stream::iter(first..=now)
        .map(|hour| counters_of(link, hour))
        .buffered(HOURS)
        .try_collect()
        .await?;
    let mut rows: BTreeMap<[Option<String>; 4], StatsRow> = BTreeMap::new();
    for stored in found.into_iter().flatten() {
        let value = serde_json::from_slice::<Value>(&stored.payload).ok();
        let count = value.and_then(|value| value.val.parse::<u64>().ok());
        let (Some(parts), Some(count)) = (Names::parse_counter(&stored.subject), count) else {
            continue;
        };
        add(&mut rows, parts, count, by);
    }
    Ok(EventStats {
        hours,
        rows: rows.into_values().collect(),
    })
}

fn add(
    rows: &mut BTreeMap<[Option<String>; 4], StatsRow>,
    [hour, what, queue, kind, worker]: [String; 5],
    count: u64,
    by: &[StatsBy],
) {
    let part = |of: StatsBy, text: String| by.contains(&of).then_some(text);
    let key = [
        part(StatsBy::Hour, hour.clone()),
        part(StatsBy::Queue, queue),
        part(StatsBy::Kind, kind),
        part(StatsBy::Worker, worker),
    ];
    let row = rows.entry(key.clone()).or_insert_with(|| {
        let [hour, queue, kind, worker] = key;
        StatsRow {
            hour_s: hour.and_then(|hour| Some(hour.parse::<u64>().ok()? * 3600)),
            queue,
            kind,
            worker,
            ..StatsRow::default()
        }
    });
    if what == BUSY {
        row.busy_ms += count;
    } else {
        *row.counts.entry(EventType::read(&what)).or_default() += count;
    }
}

async fn counters_of(link: &Link, hour: u64) -> Result<Vec<Stored>, JobsError> {
    let conn = link.lease("read the statistics").await?;
    let names = link.names();
    let (stream, hour) = (names.counters_stream(), hour.to_string());
    let filter = names.counter([&hour, "*", "*", "*", "*"]);
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let found = match page(&conn, &stream, &filter, from, PAGE).await {
            // No stream: nothing was ever counted.
            Err(error) if error.kind() == crate::JobsErrorKind::Unavailable => return Ok(all),
            found => found?,
        };
        all.extend(found.messages);
        match found.next {
            Some(next) => from = next,
            None => return Ok(all),
        }
    }
}

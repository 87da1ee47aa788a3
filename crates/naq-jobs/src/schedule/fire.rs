//! What a worker does with firings: decide, write jobs, record and next firing together, and acknowledge.
//!
//! Several firings go into one batch, since a batch costs the server a file, whatever its size. If somebody changed one
//! of the schedules meanwhile, none of the batch is stored, and each firing is handled by itself.

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use naq_connection::Connection;

use super::advance::advance;
use super::policy::Overlap;
use super::record::{LastRun, Run, ScheduleState};
use super::store::{self, Versioned, commit, read, writes};
use super::telling::{tell_schedule, tell_written};
use crate::events::EventType;
use crate::model::{JobId, QueueName, ScheduleName};
use crate::server::{BatchEnd, Link, MAX_BATCH, last_at_leader, store_batch};
use crate::{JobsError, JobsErrorKind};

/// Records that are read at the same time.
const READS: usize = 16;

/// A firing as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) name: ScheduleName,
    /// The turn that it was armed for.
    pub(crate) turn: u64,
    /// Where it is acknowledged.
    pub(crate) reply: String,
}

/// What is to be written for a firing.
struct Plan {
    fired: Fired,
    versioned: Versioned,
    runs: Vec<Run>,
}

impl Plan {
    fn end_traces(&self, is_ours: bool) {
        self.runs.iter().for_each(|run| run.end_trace(is_ours));
    }

    /// It is written.
    fn tell(&self, link: &Link) {
        let record = &self.versioned.record;
        let event_type = EventType::ScheduleTriggered;
        tell_written(link, event_type, &self.fired.name, record, &self.runs);
        self.end_traces(true);
    }
}

/// Handles firings, and says how many jobs were made. What could not be handled is delivered again.
pub(crate) async fn fire(
    link: &Link,
    conn: &Connection,
    fired: Vec<Fired>,
) -> Result<usize, JobsError> {
    let now = store::now(conn, link).await?;
    let planned: Vec<(Fired, Result<Option<Plan>, JobsError>)> = stream::iter(fired)
        .map(|fired| async move { (fired.clone(), plan(link, conn, fired, now).await) })
        .buffered(READS)
        .collect()
        .await;
    let mut plans = Vec::new();
    for (fired, planned) in planned {
        match planned {
            Ok(Some(plan)) => plans.push(plan),
            Ok(None) => acknowledge(conn, &fired).await,
            Err(error) if error.kind() == JobsErrorKind::Corrupt => {
                // It cannot get better; the record stays, and shows itself when it is listed.
                tracing::error!(schedule = %fired.name, %error, "a firing is dropped");
                let text = error.to_string();
                tell_schedule(link, EventType::SchedulerError, &fired.name, Some(&text));
                acknowledge(conn, &fired).await;
            }
            Err(error) => {
                tracing::warn!(schedule = %fired.name, %error, "a firing will be delivered again");
            }
        }
    }
    let mut made = 0;
    let (mut part, mut size) = (Vec::new(), 0);
    for plan in plans {
        let needs = plan.runs.len() + 2;
        if size + needs > MAX_BATCH {
            made += settle(link, conn, std::mem::take(&mut part), now).await;
            size = 0;
        }
        size += needs;
        part.push(plan);
    }
    Ok(made + settle(link, conn, part, now).await)
}

/// Decides what a firing leads to; `None` if it is stale.
async fn plan(
    link: &Link,
    conn: &Connection,
    fired: Fired,
    now: Timestamp,
) -> Result<Option<Plan>, JobsError> {
    let Some(mut versioned) = read(conn, link, &fired.name).await? else {
        return Ok(None);
    };
    let record = &mut versioned.record;
    if record.turn != fired.turn || record.state != ScheduleState::Active {
        return Ok(None);
    }
    let table = record.timetable().map_err(|e| {
        let context = format!("read the timetable of the schedule {}", fired.name);
        JobsError::new(JobsErrorKind::Corrupt, context).because(e)
    })?;
    let is_busy = record.overlap == Overlap::Skip
        && is_busy(link, conn, record.last.as_ref(), &record.queue).await?;
    let runs: Vec<Run> = advance(record, &table, &fired.name, now, is_busy)
        .into_iter()
        .filter_map(|at| Run::fired(&fired.name, at))
        .map(|run| run.traced(&fired.name, record, false))
        .collect();
    record.note_last(&runs);
    record.turn = fastrand::u64(1..=i64::MAX.unsigned_abs());
    Ok(Some(Plan {
        fired,
        versioned,
        runs,
    }))
}

/// Whether the last job waits, runs, or waits for a retry.
async fn is_busy(
    link: &Link,
    conn: &Connection,
    last: Option<&LastRun>,
    queue: &str,
) -> Result<bool, JobsError> {
    let parts = last.and_then(|last| {
        let id = JobId::new(last.job_id.clone()).ok()?;
        Some((QueueName::new(queue).ok()?, id))
    });
    let Some((queue, id)) = parts else {
        return Ok(false);
    };
    let (names, stream) = (link.names(), link.names().jobs_stream());
    for subject in [names.job(&queue, &id), names.schedule(&queue, &id)] {
        if last_at_leader(conn, &stream, &subject).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a part of the plans together, or each by itself, and acknowledges; says how many jobs were made.
async fn settle(link: &Link, conn: &Connection, plans: Vec<Plan>, now: Timestamp) -> usize {
    if plans.len() > 1 && is_stored_together(link, conn, &plans, now).await {
        let mut made = 0;
        for plan in &plans {
            acknowledge(conn, &plan.fired).await;
            plan.tell(link);
            made += plan.runs.len();
        }
        return made;
    }
    let mut made = 0;
    for mut plan in plans {
        match commit(link, &plan.fired.name, &mut plan.versioned, &plan.runs, now).await {
            // Somebody else handled it, or changed the schedule and armed it anew: this firing is stale.
            Ok(is_ours) => {
                if is_ours {
                    plan.tell(link);
                    made += plan.runs.len();
                } else {
                    plan.end_traces(false);
                }
                acknowledge(conn, &plan.fired).await;
            }
            Err(error) => {
                tracing::warn!(schedule = %plan.fired.name, %error, "a firing will be delivered again");
            }
        }
    }
    made
}

async fn is_stored_together(
    link: &Link,
    conn: &Connection,
    plans: &[Plan],
    now: Timestamp,
) -> bool {
    let mut all = Vec::new();
    for plan in plans {
        match writes(link, &plan.fired.name, &plan.versioned, &plan.runs, now) {
            Ok(writes) => all.extend(writes),
            Err(_) => return false,
        }
    }
    let stored = store_batch(conn, "write schedules", all).await;
    matches!(stored, Ok(BatchEnd::Stored))
}

/// Lost acknowledgements do no harm: the firing comes again and is stale.
async fn acknowledge(conn: &Connection, fired: &Fired) {
    if let Err(error) = conn.publish(fired.reply.clone(), "+ACK").await {
        tracing::debug!(schedule = %fired.name, %error, "could not acknowledge a firing");
    }
}

//! What a worker does with firings: decide, write jobs, record and next firing together, and acknowledge.
//!
//! Several firings go into one batch, since a batch costs the server a file, whatever its size. If somebody changed one
//! of the schedules meanwhile, none of the batch is stored, and each firing is handled by itself.

use futures::StreamExt;
use futures::future::try_join;
use futures::stream;
use jiff::Timestamp;
use naq_connection::Connection;

use super::advance::advance;
use super::beat::{Beats, Claim};
use super::calendar::Timetable;
use super::kept_back::{chain, last_job, release_if_over};
use super::messages::writes;
use super::record::{Record, ScheduleState, Versioned};
use super::run::Run;
use super::store::{self, commit, read, read_many, timetable};
use super::telling::{tell_schedule, tell_written};
use super::timers::place_if_gone;
use crate::events::EventType;
use crate::model::ScheduleName;
use crate::server::{BatchEnd, Link, MAX_BATCH, store_batch};
use crate::{JobsError, JobsErrorKind, failpoint};

/// Firings that are decided at the same time.
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
    /// If the next firings are made here.
    claim: Option<Claim>,
}

impl Plan {
    /// It is written.
    fn tell(&self, link: &Link) {
        let record = &self.versioned.record;
        let event_type = EventType::ScheduleTriggered;
        tell_written(link, event_type, &self.fired.name, record, &self.runs);
    }
}

/// Handles firings, and says how many jobs were made. What could not be handled is delivered again.
pub(crate) async fn fire(
    link: &Link,
    conn: &Connection,
    beats: &Beats,
    fired: Vec<Fired>,
) -> Result<usize, JobsError> {
    let names = fired.iter().map(|fired| &fired.name);
    let (now, seen) = try_join(store::now(conn, link), read_many(conn, link, names)).await?;
    let seen = &seen;
    let planned: Vec<(Fired, Result<Option<Plan>, JobsError>)> = stream::iter(fired)
        .map(|fired| async move {
            let seen = seen.get(&fired.name).cloned();
            let planned = plan(link, conn, beats, fired.clone(), seen, now).await;
            (fired, planned)
        })
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
            made += settle(link, conn, beats, std::mem::take(&mut part), now).await;
            size = 0;
        }
        size += needs;
        part.push(plan);
    }
    Ok(made + settle(link, conn, beats, part, now).await)
}

/// Decides what a firing leads to; `None` if it is stale. `seen` is its record as some server of the cluster has it.
async fn plan(
    link: &Link,
    conn: &Connection,
    beats: &Beats,
    fired: Fired,
    seen: Option<Versioned>,
    now: Timestamp,
) -> Result<Option<Plan>, JobsError> {
    // With this turn it is the one that armed the firing. Another one may be older than what the leader has.
    let seen = seen.filter(|seen| seen.record.turn == fired.turn);
    let found = match seen {
        Some(seen) => Some(seen),
        None => read(conn, link, &fired.name).await?,
    };
    let Some(mut versioned) = found else {
        return Ok(None);
    };
    let record = &mut versioned.record;
    if record.turn != fired.turn || record.state != ScheduleState::Active {
        // The worker that handled it may have died before it looked.
        release_if_over(link, conn, record).await?;
        place_if_gone(link, conn, &fired.name, versioned, now).await?;
        return Ok(None);
    }
    let table = timetable(&fired.name, record)?;
    let runs = decide(link, conn, &fired.name, record, &table, now).await?;
    let claim = beats.claim(record);
    record.beat = claim.as_ref().map(|claim| claim.beat);
    record.turn = fastrand::u64(1..=i64::MAX.unsigned_abs());
    Ok(Some(Plan {
        fired,
        versioned,
        runs,
        claim,
    }))
}

/// Moves the record on, and says which jobs that makes.
pub(super) async fn decide(
    link: &Link,
    conn: &Connection,
    name: &ScheduleName,
    record: &mut Record,
    table: &Timetable,
    now: Timestamp,
) -> Result<Vec<Run>, JobsError> {
    let last = last_job(link, conn, record).await?;
    let instants = advance(record, table, name, now, last).into_iter();
    let runs = instants.filter_map(|at| Run::fired(name, at));
    let mut runs: Vec<Run> = runs.map(|run| run.traced(name, record, false)).collect();
    chain(record, &mut runs, last);
    record.note_fired(&runs);
    Ok(runs)
}

/// Writes a part of the plans together, or each by itself, and acknowledges; says how many jobs were made.
async fn settle(
    link: &Link,
    conn: &Connection,
    beats: &Beats,
    plans: Vec<Plan>,
    now: Timestamp,
) -> usize {
    if !plans.is_empty() {
        failpoint::reach("firing-decided");
    }
    let is_stored = plans.len() > 1 && is_stored_together(link, conn, &plans, now).await;
    let mut made = 0;
    for mut plan in plans {
        let is_ours = match is_stored {
            true => Ok(true),
            false => {
                let (name, runs) = (&plan.fired.name, &plan.runs);
                commit(link, name, &mut plan.versioned, runs, now).await
            }
        };
        let name = plan.fired.name.clone();
        match finish(link, conn, beats, plan, is_ours, now).await {
            Ok(jobs) => made += jobs,
            Err(error) => {
                tracing::warn!(schedule = %name, %error, "a firing will be delivered again");
            }
        }
    }
    made
}

/// What follows once it is written, by this worker or another one. Says how many jobs were made here.
async fn finish(
    link: &Link,
    conn: &Connection,
    beats: &Beats,
    plan: Plan,
    is_ours: Result<bool, JobsError>,
    now: Timestamp,
) -> Result<usize, JobsError> {
    let is_ours = is_ours?;
    failpoint::reach("firing-stored");
    if plan.runs.iter().any(|run| run.after.is_some()) {
        release_if_over(link, conn, &plan.versioned.record).await?;
    }
    // Else somebody else handled it, or changed the schedule and armed it anew: this firing is stale.
    if !is_ours {
        plan.runs.iter().for_each(|run| run.end_trace(false));
        let name = &plan.fired.name;
        if let Some(found) = read(conn, link, name).await? {
            place_if_gone(link, conn, name, found, now).await?;
        }
    }
    acknowledge(conn, &plan.fired).await;
    if !is_ours {
        return Ok(0);
    }
    plan.tell(link);
    if let Some(claim) = plan.claim {
        beats.start(plan.fired.name, claim);
    }
    Ok(plan.runs.len())
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

//! Why a schedule does not fire, or when it does.
//!
//! | it is | and | reason |
//! |---|---|---|
//! | paused, finished | | `paused`, `finished` |
//! | active | its last job is kept back | `kept_back` |
//! | | its last job still runs, and no other one may | `overlaps` |
//! | | its firing was due more than two seconds ago | `overdue` |
//! | | no live worker serves the queue of its jobs | `nobody_serves` |
//! | | in any case, last | `fires` |

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::gather::serving;
use super::reason::ms;
use super::text::span;
use crate::JobsError;
use crate::inspect::workers;
use crate::jobs::Jobs;
use crate::model::ScheduleName;
use crate::schedule::{LastJob, Overlap, Schedule, ScheduleState, look};
use crate::server::Link;
use crate::wire::millis;

/// Lateness that is no reason to worry.
const LATE: Duration = Duration::from_secs(2);

/// A schedule, and why it does not fire or when it does.
#[derive(Debug, Clone)]
pub struct ScheduleExplanation {
    /// The schedule.
    pub schedule: Schedule,
    /// What is to be said, the most telling first; never empty.
    pub reasons: Vec<ScheduleReason>,
}

/// What is to be said of the firings of a schedule. As JSON: `{"reason": <word>, ...}`, times in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScheduleReason {
    /// It was paused.
    Paused,
    /// It has had its last firing.
    Finished,
    /// A firing is kept back until a job has ended; until then others are left out.
    KeptBack {
        /// The job that is kept back.
        job: String,
        /// The job that has to end first.
        after: String,
    },
    /// Its last job waits or runs, so firings are left out, or kept back.
    Overlaps {
        /// That job.
        job: String,
        /// Firings that were left out so far.
        skipped: u64,
    },
    /// A firing was due and nobody has handled it: no worker runs at all, or the server is late.
    Overdue {
        /// When.
        #[serde(serialize_with = "ms", rename = "due_ms")]
        due: Option<SystemTime>,
        /// Milliseconds since then.
        late_ms: u64,
    },
    /// It fires, but no worker serves the queue of its jobs.
    NobodyServes {
        /// The queue.
        queue: String,
    },
    /// It fires.
    Fires {
        /// When next, without jitter.
        #[serde(serialize_with = "ms", rename = "at_ms")]
        at: Option<SystemTime>,
        /// Milliseconds until then.
        in_ms: u64,
    },
}

/// What is known of a schedule and its surroundings.
struct Facts<'a> {
    schedule: &'a Schedule,
    /// The server's time.
    now: SystemTime,
    last: LastJob,
    is_served: bool,
}

impl Jobs {
    /// Why a schedule does not fire (paused, finished, its last job still runs, nobody handles firings, nobody serves its
    /// queue), and when it does; `None` if there is none of this name.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps), [`crate::JobsErrorKind::Corrupt`].
    pub async fn explain_schedule(
        &self,
        name: &ScheduleName,
    ) -> Result<Option<ScheduleExplanation>, JobsError> {
        explain(self.link(), name).await
    }
}

async fn explain(
    link: &Link,
    name: &ScheduleName,
) -> Result<Option<ScheduleExplanation>, JobsError> {
    let conn = link.lease("explain a schedule").await?;
    let Some((schedule, now, last)) = look(link, &conn, name).await? else {
        return Ok(None);
    };
    let all = workers(&conn, link).await?;
    let (queue, kind) = (schedule.queue().to_owned(), schedule.kind());
    let serving = serving(link, &all, Some(&queue), Some(&kind), SystemTime::now());
    let reasons = reasons(&Facts {
        schedule: &schedule,
        now,
        last,
        is_served: serving.iter().any(super::WorkerFact::counts),
    });
    Ok(Some(ScheduleExplanation { schedule, reasons }))
}

/// By the table above.
fn reasons(facts: &Facts<'_>) -> Vec<ScheduleReason> {
    let schedule = facts.schedule;
    match schedule.state() {
        ScheduleState::Active => {}
        ScheduleState::Paused => return vec![ScheduleReason::Paused],
        ScheduleState::Finished => return vec![ScheduleReason::Finished],
    }
    let mut all = Vec::new();
    if let Some((job, after)) = schedule.last_fired() {
        let job = job.to_owned();
        match (facts.last, after) {
            (LastJob::KeptBack, Some(after)) => all.push(ScheduleReason::KeptBack {
                job,
                after: after.to_owned(),
            }),
            (LastJob::Busy, _) if schedule.overlap() != Overlap::Allow => {
                let skipped = schedule.skipped();
                all.push(ScheduleReason::Overlaps { job, skipped });
            }
            _ => {}
        }
    }
    let next = schedule.next();
    let due = next.map(|next| next + schedule.jitter());
    let late = due.and_then(|due| facts.now.duration_since(due).ok());
    if let Some(late) = late.filter(|late| *late > LATE) {
        let late_ms = millis(late);
        all.push(ScheduleReason::Overdue { due, late_ms });
    }
    if !facts.is_served {
        let queue = schedule.queue().to_owned();
        all.push(ScheduleReason::NobodyServes { queue });
    }
    let left = next.and_then(|next| next.duration_since(facts.now).ok());
    all.push(ScheduleReason::Fires {
        at: next,
        in_ms: left.map_or(0, millis),
    });
    all
}

impl fmt::Display for ScheduleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("it is paused"),
            Self::Finished => f.write_str("it has had its last firing"),
            Self::KeptBack { job, after } => write!(
                f,
                "the firing {job} is kept back until the job {after} has ended; others are left out"
            ),
            Self::Overlaps { job, skipped } => write!(
                f,
                "its last job {job} has not ended, and it makes one at a time; {skipped} firing(s) left out so far"
            ),
            Self::Overdue { late_ms, .. } => write!(
                f,
                "it was due {} ago, and no worker has handled the firing: firings wait until any worker runs",
                span(*late_ms)
            ),
            Self::NobodyServes { queue } => {
                write!(f, "its jobs wait: no worker serves the queue {queue}")
            }
            Self::Fires { in_ms, .. } => write!(f, "it fires in {}", span(*in_ms)),
        }
    }
}

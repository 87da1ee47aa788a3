//! Intervals below one second: one worker makes their firings by a timer of its own.
//!
//! ```text
//!                    a firing of the server            each instant, by the worker's timer:
//!   ARMED ──────────────────────────────────► BEATS ──┬─ one batch under compare-and-set: jobs, record, arm in 2 s
//!     ▲                                        │ │ ▲  │
//!     │ the worker stops, or somebody          │ │ └──┘
//!     │ has changed the schedule               │ │ no batch for 2 s: the arm fires
//!     └────────────────────────────────────────┘ └──────► any worker takes over
//! ```
//!
//! The timer decides *when* a batch is tried and nothing else: whoever is late, was stopped or has lost its place is
//! refused by the record, which has changed. So two workers may beat for a moment, and still make each job once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use naq_connection::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fire::decide;
use super::kept_back::release_if_over;
use super::record::Record;
use super::store::{self, commit, read, timetable};
use super::telling::tell_written;
use crate::events::EventType;
use crate::model::ScheduleName;
use crate::server::Link;
use crate::{JobsError, failpoint};

/// Schedules whose firings one worker makes at the most; those of others are made by the server, up to 261 ms late.
const MOST: usize = 100;

/// Time after which the server's clock is read again.
const FRESH: Duration = Duration::from_secs(30);

/// The timers of a worker. A cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Beats {
    link: Link,
    stopping: CancellationToken,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// A place among the timers of a worker, and what the record says of it.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) beat: u64,
    _place: OwnedSemaphorePermit,
}

impl Beats {
    pub(crate) fn new(link: Link, stopping: CancellationToken) -> Self {
        Self {
            link,
            stopping,
            places: Arc::new(Semaphore::new(MOST)),
            tasks: TaskTracker::new(),
        }
    }

    /// A place for the firings of `record`, if it needs one and there is one.
    pub(super) fn claim(&self, record: &Record) -> Option<Claim> {
        let is_wanted = record.rule.is_fast() && record.next_s.is_some();
        if !is_wanted || self.stopping.is_cancelled() {
            return None;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Claim {
            beat: fastrand::u64(1..=i64::MAX.unsigned_abs()),
            _place: place,
        })
    }

    /// Makes the firings of `name` from now on, until somebody else does or the worker stops.
    pub(super) fn start(&self, name: ScheduleName, claim: Claim) {
        let (link, stopping) = (self.link.clone(), self.stopping.clone());
        self.tasks.spawn(async move {
            if let Err(error) = beat(&link, &stopping, &name, claim.beat).await {
                // The armed message fires, and somebody goes on.
                tracing::warn!(schedule = %name, %error, "its firings are left to others");
            }
        });
    }

    /// Waits until the timers have ended; they do when the worker stops.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Makes firings as long as the record says `beat`.
async fn beat(
    link: &Link,
    stopping: &CancellationToken,
    name: &ScheduleName,
    beat: u64,
) -> Result<(), JobsError> {
    let conn = link.lease("make the firings of a short interval").await?;
    let found = read(&conn, link, name).await?;
    let Some(mut versioned) = found.filter(|found| found.record.beat == Some(beat)) else {
        return Ok(());
    };
    let table = timetable(name, &versioned.record)?;
    let mut clock = Clock::read(&conn, link).await?;
    while let Some(next) = versioned.record.next() {
        let is_last = tokio::select! {
            () = stopping.cancelled() => true,
            () = tokio::time::sleep(clock.until(next)) => false,
        };
        let (record, now) = (&mut versioned.record, clock.now());
        let mut runs = Vec::new();
        if is_last {
            // The server fires the next one, and another worker takes it.
            record.beat = None;
        } else {
            runs = decide(link, &conn, name, record, &table, now).await?;
        }
        if !commit(link, name, &mut versioned, &runs, now).await? {
            return Ok(());
        }
        failpoint::reach("beat-stored");
        let record = &versioned.record;
        if runs.iter().any(|run| run.after.is_some()) {
            release_if_over(link, &conn, record).await?;
        }
        tell_written(link, EventType::ScheduleTriggered, name, record, &runs);
        if is_last {
            return Ok(());
        }
        if clock.read_at.elapsed() > FRESH {
            clock = Clock::read(&conn, link).await?;
        }
    }
    Ok(())
}

/// The server's clock, carried on by the monotonic one of this host. Never ahead of it.
#[derive(Debug, Clone, Copy)]
struct Clock {
    server: Timestamp,
    read_at: Instant,
}

impl Clock {
    async fn read(conn: &Connection, link: &Link) -> Result<Self, JobsError> {
        let server = store::now(conn, link).await?;
        Ok(Self {
            server,
            read_at: Instant::now(),
        })
    }

    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.read_at.elapsed()).unwrap_or_default();
        self.server.checked_add(passed).unwrap_or(self.server)
    }

    fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.now())).unwrap_or_default()
    }
}

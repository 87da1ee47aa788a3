//! The timer of a schedule, which is its armed message, is placed again if it is gone.
//!
//! ```text
//!   ACTIVE, turn t ── is there a timer of t? ── yes ──► it will fire
//!                        │ no
//!                        └─ is there a firing of t? ── yes ──► it is delivered
//!                              │ no
//!                              └──► record' and timer' of another turn, under compare-and-set: what is due stays due
//! ```
//!
//! The server stores a firing some time after it has looked at its clock, and then removes what is armed by that time. A change in
//! between thus loses the timer that it has placed, and what tells of it is the firing, which is stale. So whoever handles a stale
//! firing looks, and a worker that starts looks at all of them: a timer may also be lost with a backup, or be purged by hand.

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use naq_connection::Connection;
use tokio::time::{Instant, timeout_at};

use super::advance::settle_next;
use super::messages::turn_of;
use super::record::{ScheduleState, Versioned};
use super::store::{commit, now, read, timetable};
use crate::model::ScheduleName;
use crate::server::{Link, last_at_leader, persist, subjects_at_leader};
use crate::wire::Names;
use crate::{JobsError, failpoint};

/// Schedules that are looked at at the same time.
const LOOKS: usize = 16;

/// Time for looking at all of them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Places the timer of `found` again, if that is active and nothing is there that fires it.
///
/// Whoever writes the record meanwhile has placed a timer of its own, and this one is not written.
pub(super) async fn place_if_gone(
    link: &Link,
    conn: &Connection,
    name: &ScheduleName,
    mut found: Versioned,
    now: Timestamp,
) -> Result<(), JobsError> {
    let record = &mut found.record;
    if record.state != ScheduleState::Active {
        return Ok(());
    }
    let (names, stream) = (link.names(), link.names().jobs_stream());
    // In this order: the one becomes the other.
    for subject in [names.arm(name), names.fire(name)] {
        let last = last_at_leader(conn, &stream, &subject).await?;
        if last.is_some_and(|last| turn_of(last.headers.as_ref()) == Some(record.turn)) {
            return Ok(());
        }
    }
    settle_next(record, &timetable(name, record)?, now);
    record.beat = None;
    if commit(link, name, &mut found, &[], now).await? {
        tracing::warn!(schedule = %name, "its timer was gone and is placed again");
        failpoint::reach("timer-placed");
    }
    Ok(())
}

/// The same for all schedules that have neither a timer nor a firing, as far as there is time for it.
pub(crate) async fn place_all_gone(link: &Link) {
    let deadline = Instant::now() + PATIENCE;
    let looked = persist(
        link,
        "look for the timers of schedules",
        deadline,
        |conn| async move { for_all_gone(link, &conn).await },
    );
    match timeout_at(deadline, looked).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "timers of schedules may be gone"),
        Err(_) => tracing::warn!("more timers of schedules may be gone than could be placed again"),
    }
}

async fn for_all_gone(link: &Link, conn: &Connection) -> Result<(), JobsError> {
    let names = link.names();
    let mut gone = listed(link, conn, names.all_recurring()).await?;
    for filter in [names.all_arms(), names.fires_filter()] {
        if gone.is_empty() {
            return Ok(());
        }
        let held = listed(link, conn, filter).await?;
        gone.retain(|name| !held.contains(name));
    }
    let now = now(conn, link).await?;
    let mut looks = stream::iter(gone)
        .map(|name| async move {
            let found = read(conn, link, &name).await?;
            match found {
                Some(found) => place_if_gone(link, conn, &name, found, now).await,
                None => Ok(()),
            }
        })
        .buffer_unordered(LOOKS);
    while let Some(looked) = looks.next().await {
        match looked {
            // The others are none the worse for one that is broken, or that only a newer program can read.
            Err(error) if !error.is_transient() => tracing::debug!(%error, "left alone"),
            looked => looked?,
        }
    }
    Ok(())
}

/// The schedules that have a message under `filter`.
async fn listed(
    link: &Link,
    conn: &Connection,
    filter: String,
) -> Result<HashSet<ScheduleName>, JobsError> {
    let subjects = subjects_at_leader(conn, &link.names().jobs_stream(), &filter).await?;
    let names = subjects.iter().filter_map(|it| Names::parse_schedule(it));
    Ok(names.collect())
}

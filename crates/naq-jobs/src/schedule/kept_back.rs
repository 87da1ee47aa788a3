//! One job at a time: what the last one is doing, and the release of one that was kept back for it.

use std::time::SystemTime;

use futures::future::try_join;
use naq_connection::Connection;

use super::advance::LastJob;
use super::info::Schedule;
use super::policy::Overlap;
use super::record::Record;
use super::run::Run;
use super::store;
use crate::JobsError;
use crate::model::{JobId, QueueName, ScheduleName};
use crate::parked::{Why, has_outcome, release_after};
use crate::server::{Link, next_at_leader};
use crate::wire::{Spot, Stage};

/// A schedule, the server's time, and what its last job is doing.
pub(crate) async fn look(
    link: &Link,
    conn: &Connection,
    name: &ScheduleName,
) -> Result<Option<(Schedule, SystemTime, LastJob)>, JobsError> {
    let (found, now) = try_join(store::read(conn, link, name), store::now(conn, link)).await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let last = last_job(link, conn, &found.record).await?;
    let schedule = Schedule::new(name.clone(), found.record)?;
    Ok(Some((schedule, now.into(), last)))
}

/// What the last job that a firing has made is doing, if that matters.
pub(super) async fn last_job(
    link: &Link,
    conn: &Connection,
    record: &Record,
) -> Result<LastJob, JobsError> {
    let Some((queue, id)) = last_of(record).filter(|_| record.overlap != Overlap::Allow) else {
        return Ok(LastJob::Over);
    };
    let names = link.names();
    let stage = async |subject: String| {
        let found = next_at_leader(conn, &names.jobs_stream(), &subject, 0).await?;
        let spot = found.and_then(|found| Spot::read(names, &found.subject));
        Ok::<_, JobsError>(spot.map(|spot| spot.stage))
    };
    let waits = || stage(names.job_at(&queue, &id, record.priority()));
    // Its place is looked at first and last: it may come back to it, or leave it, in between.
    if waits().await?.is_some() {
        return Ok(LastJob::Busy);
    }
    let later = stage(names.schedule(&queue, &id));
    let parked = stage(names.parked(&queue, "*", &id));
    let (later, parked) = try_join(later, parked).await?;
    Ok(match later.or(parked).or(waits().await?) {
        None => LastJob::Over,
        Some(Stage::Parked(why)) if Why::is_after(&why) => LastJob::KeptBack,
        Some(_) => LastJob::Busy,
    })
}

/// Lets the second of two jobs wait for the first, and the first for the last one if that is busy.
pub(super) fn chain(record: &Record, runs: &mut [Run], last: LastJob) {
    if record.overlap != Overlap::Queue {
        return;
    }
    let busy = last_of(record).filter(|_| last == LastJob::Busy);
    let mut before = busy.map(|(_, id)| id);
    for run in runs {
        run.after = before.replace(run.id.clone());
    }
}

/// Releases the last job if the one that it was kept back for has ended by now: whoever ended that may have looked before it
/// was parked.
pub(super) async fn release_if_over(
    link: &Link,
    conn: &Connection,
    record: &Record,
) -> Result<(), JobsError> {
    let after = record.last_fired.as_ref();
    let after = after.and_then(|last| JobId::new(last.after.clone()?).ok());
    let (Some(after), Ok(queue)) = (after, QueueName::new(record.queue.clone())) else {
        return Ok(());
    };
    if has_outcome(conn, link, &after).await? {
        release_after(conn, link, &queue, &after).await?;
    }
    Ok(())
}

fn last_of(record: &Record) -> Option<(QueueName, JobId)> {
    let fired = record.last_fired.as_ref().map(|last| &last.job_id);
    // While overlap is allowed only the last one of all is kept.
    let last = fired.or(record.last.as_ref().map(|last| &last.job_id))?;
    let id = JobId::new(last.clone()).ok()?;
    Some((QueueName::new(record.queue.clone()).ok()?, id))
}

//! The timer of a schedule is gone although the schedule is active: the server took it along with a firing, or somebody removed it.
//! It is placed again, and what was due fires.

use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use naq_jobs::{ScheduleChange, ScheduleState};
use naq_testing::{eventually, eventually_eq};
use rustix::process::Signal;
use serde_json::json;

use crate::crowd::{crowd, crowd_fires};
use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::schedules::{SECOND, echo_worker, ended, find, name};
use crate::setup::{Bed, ECHO, LONG};

const HOUR: Duration = Duration::from_secs(3600);

/// Timers of others that are due at the same instant.
const CROWD: usize = 10_000;

/// The armed message of a schedule: its turn, and when it is due.
async fn timer(bed: &Bed, schedule: &str) -> Option<(String, String)> {
    let subject = format!("$JS.API.DIRECT.GET.naq_jobs.naq.arm.{schedule}");
    let found = bed.conn().await.request(subject, "").await.unwrap();
    let header = |name| Some(found.headers.as_ref()?.get(name)?.to_string());
    Some((header("Naq-Turn")?, header("Nats-Schedule")?))
}

/// What the server stores when the timer of this turn is due. It looks at its clock first and stores the firing later, and then
/// removes whatever is armed by that time.
async fn fires_late(bed: &Bed, schedule: &str, turn: &str) {
    let mut headers = HeaderMap::new();
    headers.insert("Naq-Turn", turn);
    headers.insert("Nats-Scheduler", format!("naq.arm.{schedule}"));
    headers.insert("Nats-Schedule-Next", "purge");
    let subject = format!("naq.fire.{schedule}");
    let conn = bed.conn().await;
    conn.publish_acked(subject, headers, "").await.unwrap();
}

/// Waits until the schedule has another timer than that of `turn`, and nothing is left of its firings.
async fn has_a_new_timer(bed: &Bed, schedule: &str, turn: &str) -> (String, String) {
    let new = eventually(LONG, async || match timer(bed, schedule).await {
        Some(new) if new.0 != turn => Ok(new),
        seen => Err(seen),
    })
    .await;
    eventually_eq(LONG, Vec::<String>::new(), async || {
        bed.subjects("naq_jobs", "naq.fire.*").await
    })
    .await;
    new
}

/// Changes nothing, and so arms anew.
async fn touch(bed: &Bed, schedule: &str) -> SystemTime {
    let nothing = ScheduleChange::new().jitter(Duration::ZERO);
    let touched = bed.jobs.schedules().modify(&name(schedule), &nothing).await;
    touched.unwrap().next().unwrap()
}

/// A change that comes between the server's look at its clock and its storing of the firing.
#[tokio::test]
async fn a_timer_that_an_older_firing_took_along_is_placed_again() {
    let bed = Bed::new().await;
    let worker = echo_worker(&bed.jobs).await;
    let new = bed.jobs.schedule(ECHO.job(&json!(1)).unwrap()).every(HOUR);
    new.create("hourly").await.unwrap();
    let (first, _) = timer(&bed, "hourly").await.unwrap();
    let next = touch(&bed, "hourly").await;
    let (second, due) = timer(&bed, "hourly").await.unwrap();
    fires_late(&bed, "hourly", &first).await;

    let third = has_a_new_timer(&bed, "hourly", &second).await;
    assert_eq!(third.1, due);
    let seen = find(&bed.jobs, "hourly").await;
    assert_eq!((seen.next(), seen.runs()), (Some(next), 0));

    // A paused one needs none.
    bed.jobs.schedules().pause(&name("hourly")).await.unwrap();
    fires_late(&bed, "hourly", &third.0).await;
    eventually_eq(LONG, 0, async || {
        bed.subjects("naq_jobs", "naq.fire.*").await.len()
    })
    .await;
    assert_eq!(timer(&bed, "hourly").await, None);
    worker.stop(LONG).await;
}

/// The same as the server does it by itself: it fires a crowd, and the schedule is changed before its turn has come.
#[tokio::test]
async fn a_change_while_the_server_fires_a_crowd_loses_no_firing() {
    let bed = Bed::new().await;
    let worker = echo_worker(&bed.jobs).await;
    let new = bed.jobs.schedule(ECHO.job(&json!(1)).unwrap()).every(HOUR);
    let due = new
        .start(SystemTime::now() + 4 * SECOND)
        .create("one")
        .await;
    let due = due.unwrap().next().unwrap();
    let (_, at) = timer(&bed, "one").await.unwrap();
    crowd(&bed, &at, CROWD).await;
    // The server goes by age, so this one comes last.
    assert_eq!(touch(&bed, "one").await, due);
    crowd_fires(&bed).await;
    touch(&bed, "one").await;
    eventually_eq(LONG, 1, async || ended(&bed.jobs).await.len()).await;
    let seen = find(&bed.jobs, "one").await;
    assert_eq!((seen.runs(), seen.last_run().unwrap().0), (1, due));
    worker.stop(LONG).await;
}

/// A server that was killed in the middle of a change may have its timer and not its record.
#[tokio::test]
async fn a_timer_without_its_record_fires_and_the_right_one_is_placed_again() {
    let bed = Bed::new().await;
    let worker = echo_worker(&bed.jobs).await;
    let new = bed.jobs.schedule(ECHO.job(&json!(1)).unwrap()).every(HOUR);
    new.create("hourly").await.unwrap();
    let (_, due) = timer(&bed, "hourly").await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("Naq-Turn", "7");
    headers.insert("Nats-Schedule", "@at 2026-01-01T00:00:00Z");
    headers.insert("Nats-Schedule-Target", "naq.fire.hourly");
    let conn = bed.conn().await;
    conn.publish_acked("naq.arm.hourly", headers, "")
        .await
        .unwrap();
    assert_eq!(has_a_new_timer(&bed, "hourly", "7").await.1, due);
    assert_eq!(find(&bed.jobs, "hourly").await.runs(), 0);
    worker.stop(LONG).await;
}

/// The worker has read the record before the change, as one also may from a server that lags behind.
#[tokio::test]
async fn a_timer_that_goes_while_a_worker_decides_is_placed_again() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let settings = [("NAQ_STOP_AT", "firing-decided")];
    let worker = WorkerProcess::start(&bed.server.url(), &ledger, &settings);
    let new = bed.jobs.schedule(WORK.job(&1).unwrap()).every(HOUR);
    let new = new.start(SystemTime::now() + SECOND);
    new.create("one").await.unwrap();
    worker.stopped().await;
    touch(&bed, "one").await;
    // The new leader of a stream fires what the old one has fired already.
    let purge = json!({ "filter": "naq.arm.one" });
    bed.ask("STREAM.PURGE.naq_jobs", purge).await;
    worker.signal(Signal::CONT);
    eventually_eq(LONG, 1, async || ledger.ends().len()).await;
    assert_eq!(find(&bed.jobs, "one").await.runs(), 1);
    assert!(worker.terminate().await);
}

#[tokio::test]
async fn dead_after_a_timer_was_placed_again_it_is_there_once() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let url = bed.server.url();
    let victim = WorkerProcess::start(&url, &ledger, &[("NAQ_DIE_AT", "timer-placed")]);
    let new = bed.jobs.schedule(WORK.job(&1).unwrap()).every(HOUR);
    new.create("hourly").await.unwrap();
    let (first, due) = timer(&bed, "hourly").await.unwrap();
    touch(&bed, "hourly").await;
    fires_late(&bed, "hourly", &first).await;
    victim.died().await;
    let placed = timer(&bed, "hourly").await.unwrap();
    assert_eq!(placed.1, due);
    let heir = WorkerProcess::start(&url, &ledger, &[]);
    assert_eq!(has_a_new_timer(&bed, "hourly", &first).await, placed);
    assert!(heir.terminate().await);
}

/// No firing tells of it: purged by hand, lost with a backup, or before workers knew how to place it again.
#[tokio::test]
async fn a_worker_that_starts_places_the_timers_that_are_gone() {
    let bed = Bed::new().await;
    for schedule in ["gone", "paused", "there"] {
        let new = bed.jobs.schedule(ECHO.job(&json!(1)).unwrap()).every(HOUR);
        new.create(schedule).await.unwrap();
    }
    bed.jobs.schedules().pause(&name("paused")).await.unwrap();
    let (gone, due) = timer(&bed, "gone").await.unwrap();
    let there = timer(&bed, "there").await;
    for schedule in ["gone", "paused"] {
        let purge = json!({ "filter": format!("naq.arm.{schedule}") });
        bed.ask("STREAM.PURGE.naq_jobs", purge).await;
    }
    let worker = echo_worker(&bed.jobs).await;
    assert_eq!(has_a_new_timer(&bed, "gone", &gone).await.1, due);
    worker.stop(LONG).await;
    assert_eq!(timer(&bed, "there").await, there);
    assert_eq!(timer(&bed, "paused").await, None);
    let paused = find(&bed.jobs, "paused").await;
    assert_eq!(paused.state(), ScheduleState::Paused);
}

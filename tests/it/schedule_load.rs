//! Many schedules: what they cost while none is due, and how late the last one is when all are due at once.
//! `cargo run --release -p naq --example schedules_cost` is the whole run, with 10,000.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use naq_testing::eventually;
use serde_json::json;
use tokio::task::JoinSet;

use crate::schedules::SECOND;
use crate::setup::{Bed, ECHO, LONG, echo};

const SCHEDULES: usize = 400;

/// Created at the same time.
const TOGETHER: usize = 50;

/// Processor time of a process so far (a tick is 10 ms).
fn used(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let times = fields.skip(11).take(2).map(|n| n.parse::<u64>().unwrap());
    Duration::from_millis(times.sum::<u64>() * 10)
}

async fn create(bed: &Bed, due: SystemTime, count: usize) {
    let (mut running, mut made) = (JoinSet::new(), 0);
    while made < count || !running.is_empty() {
        while made < count && running.len() < TOGETHER {
            let new = bed.jobs.schedule(ECHO.job(&json!(made)).unwrap());
            let new = new.every(24 * 3600 * SECOND).start(due);
            running.spawn(new.create(format!("crowd-{made}")));
            made += 1;
        }
        let created = running.join_next().await.unwrap().unwrap();
        assert_eq!(created.unwrap().next(), Some(due));
    }
}

/// Time after which all can be due: what this machine needs now to create them, three times, and the time to look.
async fn lead() -> Duration {
    let bed = bed().await;
    let begun = Instant::now();
    create(&bed, due_in(60 * LONG), TOGETHER).await;
    let all = begun.elapsed() * u32::try_from(SCHEDULES / TOGETHER).unwrap();
    3 * all + 10 * SECOND
}

/// A whole second.
fn due_in(lead: Duration) -> SystemTime {
    let at = (SystemTime::now() + lead).duration_since(UNIX_EPOCH);
    UNIX_EPOCH + Duration::from_secs(at.unwrap().as_secs())
}

/// Many wait for the server at once.
async fn bed() -> Bed {
    Bed::with(|settings| settings.nats.request_timeout = LONG).await
}

/// AC-17.
#[tokio::test]
async fn many_schedules_cost_nothing_until_they_are_due_and_then_each_makes_one_job_in_time() {
    let bed = bed().await;
    let worker = bed.jobs.worker().concurrency(50).handle(ECHO, echo);
    let worker = worker.start().await.unwrap();
    let lead = lead().await;
    let due = due_in(lead);
    create(&bed, due, SCHEDULES).await;
    // Time itself: what was written just before is still being tidied up.
    tokio::time::sleep(SECOND).await;

    let idle = 4 * SECOND;
    let left = due.duration_since(SystemTime::now());
    assert!(left.is_ok_and(|left| left > idle), "created too late");
    let pid = bed.server.pid().unwrap();
    let before = (Instant::now(), used(pid), bed.server.varz().await);
    tokio::time::sleep(idle).await;
    let after = bed.server.varz().await;
    let share = (used(pid) - before.1).as_secs_f64() / before.0.elapsed().as_secs_f64();
    assert!(share < 0.1, "the server is {:.0} % busy", share * 100.0);
    // Requests for jobs and firings are renewed, and the worker shows itself.
    let messages = after.in_msgs - before.2.in_msgs;
    assert!(messages < 100, "{messages} messages while nothing is due");

    eventually(lead + LONG, async || {
        match bed.jobs.stock().await.unwrap() {
            stock if stock.outcomes == SCHEDULES as u64 => Ok(()),
            stock => Err(stock),
        }
    })
    .await;
    let outcomes = bed.jobs.results().list(0, 1000).await.unwrap().outcomes;
    let due_ms = u64::try_from(due.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let starts = outcomes.iter().map(|outcome| outcome.started_at_ms);
    let late: Vec<i128> = starts
        .map(|at| i128::from(at) - i128::from(due_ms))
        .collect();
    let (first, last) = (late.iter().min().unwrap(), late.iter().max().unwrap());
    assert!(*first >= 0, "one was {first} ms early");
    assert!(*last < 30_000, "the last one was {last} ms late");
    tracing::info!(first, last, share, "late by ms");
    let report = worker.stop(LONG).await;
    assert_eq!(report.completed, SCHEDULES as u64, "a job was made twice");
    let page = bed.jobs.schedules().list(0, 1000).await.unwrap();
    assert!(page.schedules.iter().all(|schedule| schedule.runs() == 1));
}

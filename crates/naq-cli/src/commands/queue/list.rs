//! `naq queue list` and `naq queue show`.

use std::time::UNIX_EPOCH;

use naq::{EventType, Jobs, ParkedJobs, QueueInfo, QueueName, StatsBy, StatsRow};
use serde_json::{Value, json};

use crate::context::Context;
use crate::duration::rough;
use crate::error::CliError;
use crate::output::{Table, grouped};

/// List the queues: what waits, runs, is scheduled, paused and dead in each, and who serves it
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Print JSON: `{"queues": [...]}`
    #[arg(long)]
    json: bool,
}

/// Show one queue
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// Its name
    queue: QueueName,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(context: &Context, jobs: &Jobs, args: ListArgs) -> Result<(), CliError> {
    let queues = jobs.queues().await?;
    let out = &context.output;
    if args.json {
        let queues: Vec<Value> = queues.iter().map(described).collect();
        return Ok(out.json(&json!({ "queues": queues }))?);
    }
    let mut table = Table::new(&[
        "QUEUE",
        "WAITING",
        "IN FLIGHT",
        "RUNNING",
        "SCHEDULED",
        "PARKED",
        "DEAD",
        "WORKERS",
        "SLOTS",
        "OLDEST",
        "STATE",
    ]);
    for queue in &queues {
        table.row([
            queue.name.to_string(),
            grouped(queue.waiting),
            grouped(queue.in_flight),
            grouped(queue.running),
            grouped(queue.scheduled),
            grouped(queue.parked),
            grouped(queue.dead),
            queue.workers.to_string(),
            format!("{}/{}", queue.busy, queue.slots),
            oldest(queue),
            state(queue).to_owned(),
        ]);
    }
    Ok(out.table(table)?)
}

pub(super) async fn show(context: &Context, jobs: &Jobs, args: ShowArgs) -> Result<(), CliError> {
    let queue = jobs.queue(&args.queue).await?;
    let parked = match queue.parked {
        0 => ParkedJobs::default(),
        _ => jobs.parked(&args.queue).await?,
    };
    let day = last_day(jobs, &args.queue).await?;
    let out = &context.output;
    if args.json {
        let mut shown = described(&queue);
        shown["parked_for"] = json!({
            "limit": parked.for_limit, "kind": parked.for_kind, "job": parked.for_job,
        });
        shown["last_day"] = json!({
            "completed": day.count(EventType::Completed),
            "failed": day.count(EventType::Failed),
            "retried": day.count(EventType::RetryScheduled),
            "failure_rate": day.failure_rate(),
        });
        return Ok(out.json(&shown)?);
    }
    if is_unused(&queue) {
        out.note(format!(
            "nothing is known of the queue {}; `naq queue list` has those that are used",
            queue.name
        ));
    }
    let mut table = Table::headless();
    table.row(["queue", queue.name.as_str()]);
    table.row(["state", state(&queue)]);
    for (name, number) in [
        ("waiting", queue.waiting),
        ("in flight", queue.in_flight),
        ("running", queue.running),
        ("scheduled", queue.scheduled),
        ("parked", queue.parked),
        ("parked for a limit", parked.for_limit),
        ("parked for their kind", parked.for_kind),
        ("parked for another job", parked.for_job),
        ("dead", queue.dead),
        ("workers", u64::from(queue.workers)),
        ("slots", u64::from(queue.slots)),
        ("busy slots", u64::from(queue.busy)),
        ("delivered", queue.delivered),
    ] {
        table.row([name, &grouped(number)]);
    }
    table.row(["oldest waiting", &oldest(&queue)]);
    for (name, event) in [
        ("completed in a day", EventType::Completed),
        ("failed in a day", EventType::Failed),
    ] {
        table.row([name, &grouped(day.count(event))]);
    }
    let rate = day.failure_rate();
    let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
    table.row(["failure rate", &rate]);
    Ok(out.table(table)?)
}

/// What happened in the queue in the last 24 hours, from the counters of the events; nothing if those are switched off.
async fn last_day(jobs: &Jobs, queue: &QueueName) -> Result<StatsRow, CliError> {
    let stats = jobs.events().stats(24, &[StatsBy::Queue]).await?;
    let row = stats
        .rows
        .into_iter()
        .find(|row| row.queue.as_deref() == Some(queue.as_str()));
    Ok(row.unwrap_or_default())
}

/// Why nothing moves, if nothing does.
pub(crate) fn state(queue: &QueueInfo) -> &'static str {
    match queue {
        queue if queue.is_paused => "paused",
        queue if queue.workers == 0 && queue.waiting > 0 => "no workers",
        queue if queue.in_flight > 0 || queue.waiting > 0 => "active",
        _ => "idle",
    }
}

fn oldest(queue: &QueueInfo) -> String {
    let age = queue.oldest_waiting.and_then(|at| at.elapsed().ok());
    age.map_or_else(|| "-".to_owned(), rough)
}

fn described(queue: &QueueInfo) -> Value {
    let oldest = queue
        .oldest_waiting
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| u64::try_from(since.as_millis()).ok());
    json!({
        "queue": queue.name.as_str(),
        "state": state(queue),
        "waiting": queue.waiting,
        "in_flight": queue.in_flight,
        "running": queue.running,
        "scheduled": queue.scheduled,
        "parked": queue.parked,
        "dead": queue.dead,
        "workers": queue.workers,
        "slots": queue.slots,
        "busy": queue.busy,
        "oldest_waiting_ms": oldest,
        "delivered": queue.delivered,
        "settled": queue.settled,
        "paused": queue.is_paused,
    })
}

/// Whether nothing is or ever was in it, and nobody serves it: a queue that is named wrong looks so.
fn is_unused(queue: &QueueInfo) -> bool {
    let held = queue.waiting + queue.in_flight + queue.scheduled + queue.parked + queue.dead;
    held == 0 && queue.delivered == 0 && queue.workers == 0 && !queue.is_paused
}

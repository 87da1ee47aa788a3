//! `naq worker list`: who is alive.

use std::time::{Duration, SystemTime};

use naq::{WorkerInfo, WorkerRecord};
use serde_json::{Value, json};

use crate::context::Context;
use crate::duration::rough;
use crate::error::CliError;
use crate::output::Table;

/// The flags of the list.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Print JSON: `{"workers": [...]}`
    #[arg(long)]
    json: bool,
}

/// Lists the live workers. One that died is listed, as STALE, until its record expires.
pub(crate) async fn list(context: &Context, args: ListArgs) -> Result<(), CliError> {
    // Two missed signs of life; the clocks of two hosts may differ by a second.
    let heartbeat = context.settings()?.workers.heartbeat_interval;
    let stale_after = heartbeat * 2 + Duration::from_secs(1);
    let mut workers = context
        .with_jobs(async |jobs| Ok(jobs.workers().await?))
        .await?;
    workers.sort_by(|a, b| a.record.worker_id.cmp(&b.record.worker_id));
    let out = &context.output;
    if args.json {
        let workers: Vec<Value> = workers.iter().map(|w| described(w, stale_after)).collect();
        return Ok(out.json(&json!({ "workers": workers }))?);
    }
    if workers.is_empty() {
        out.note("no workers; `naq worker` starts one");
        return Ok(());
    }
    let head = [
        "WORKER ID",
        "STATUS",
        "QUEUES",
        "CURRENT JOB",
        "RUNNING",
        "LAST HEARTBEAT",
    ];
    let mut table = Table::new(&head);
    for worker in &workers {
        table.row(row(worker, stale_after));
    }
    Ok(out.table(table)?)
}

fn row(worker: &WorkerInfo, stale_after: Duration) -> [String; 6] {
    let record = &worker.record;
    let current = match record.running.as_slice() {
        [] => "-".to_owned(),
        [one] => one.job_id.clone(),
        [first, rest @ ..] => format!("{} +{}", first.job_id, rest.len()),
    };
    let heartbeat = match silence(worker) {
        Some(silence) if silence > stale_after => format!("{} ago (STALE)", rough(silence)),
        Some(silence) => format!("{} ago", rough(silence)),
        None => "?".to_owned(),
    };
    [
        record.worker_id.clone(),
        status(record),
        record.queues.join(","),
        current,
        format!("{}/{}", record.running.len(), record.concurrency),
        heartbeat,
    ]
}

/// What it does; a quiet one takes no more jobs.
fn status(record: &WorkerRecord) -> String {
    match record.quiet {
        true => format!("{} (quiet)", record.status),
        false => record.status.to_string(),
    }
}

fn described(worker: &WorkerInfo, stale_after: Duration) -> Value {
    let mut value = json!(worker.record);
    value["seen_at"] = worker.seen_at.as_str().into();
    value["stale"] = silence(worker)
        .is_some_and(|silence| silence > stale_after)
        .into();
    value
}

/// Time since its last sign of life, by the server's clock and ours.
fn silence(worker: &WorkerInfo) -> Option<Duration> {
    let seen: jiff::Timestamp = worker.seen_at.parse().ok()?;
    Some(
        SystemTime::now()
            .duration_since(seen.into())
            .unwrap_or_default(),
    )
}

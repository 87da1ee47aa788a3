//! `naq events workers`.

use std::collections::BTreeMap;
use std::time::Duration;

use naq::{EventType, Jobs, StatsBy, StatsRow, WorkerInfo};
use serde_json::{Value, json};

use super::format::Format;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;
use crate::signals::Signals;

/// Show what each worker has done
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Hours to look back, the current one included
    #[arg(long, value_name = "N", default_value = "24")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=8760))]
    hours: u32,

    /// Also those that are gone
    #[arg(long)]
    show_inactive: bool,

    /// Show it again every so many seconds, until Ctrl-C; 0: once
    #[arg(short, long, value_name = "SECONDS", default_value = "0")]
    refresh: u32,

    /// How they are printed
    #[arg(short, long, default_value = "table")]
    format: Format,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let signals = Signals::listen()?;
    loop {
        show(context, jobs, &args).await?;
        if args.refresh == 0 {
            return Ok(());
        }
        tokio::select! {
            () = signals.token().cancelled() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(args.refresh.into())) => {}
        }
    }
}

async fn show(context: &Context, jobs: &Jobs, args: &Args) -> Result<(), CliError> {
    let live: BTreeMap<String, WorkerInfo> = jobs
        .workers()
        .await?
        .into_iter()
        .map(|worker| (worker.record.worker_id.clone(), worker))
        .collect();
    let mut done: BTreeMap<String, StatsRow> = BTreeMap::new();
    for row in jobs
        .events()
        .stats(args.hours, &[StatsBy::Worker])
        .await?
        .rows
    {
        let id = row.worker.clone().unwrap_or_default();
        // A dash stands for what no worker has told.
        if id != "-" && (args.show_inactive || live.contains_key(&id)) {
            done.insert(id, row);
        }
    }
    for id in live.keys() {
        done.entry(id.clone()).or_default();
    }
    let rows = done
        .iter()
        .map(|(id, row)| described(id, row, live.get(id)));
    let rows: Vec<Value> = rows.collect();
    if args.format == Format::Json {
        return Ok(context.output.json(&json!({ "workers": rows }))?);
    }
    if rows.is_empty() {
        context
            .output
            .note("no workers; `--show-inactive` shows those that are gone");
        return Ok(());
    }
    let mut table = Table::new(&COLUMNS.map(|(_, head)| head));
    for row in &rows {
        table.row(COLUMNS.map(|(key, _)| match &row[key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }));
    }
    Ok(context.output.table(table)?)
}

const COLUMNS: [(&str, &str); 8] = [
    ("worker_id", "WORKER ID"),
    ("status", "STATUS"),
    ("running", "RUNNING"),
    ("started", "STARTED"),
    ("completed", "COMPLETED"),
    ("retried", "RETRIED"),
    ("failed", "FAILED"),
    ("busy_ms", "BUSY MS"),
];

fn described(id: &str, row: &StatsRow, live: Option<&WorkerInfo>) -> Value {
    let status = live.map_or_else(|| "gone".to_owned(), |live| live.record.status.to_string());
    json!({
        "worker_id": id,
        "status": status,
        "running": live.map_or(0, |live| live.record.running.len()),
        "started": row.count(EventType::Started),
        "completed": row.count(EventType::Completed),
        "retried": row.count(EventType::RetryScheduled),
        "failed": row.count(EventType::Failed),
        "busy_ms": row.busy_ms,
    })
}

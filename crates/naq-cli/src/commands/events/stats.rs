//! `naq events stats`.

use naq::{EventType, Jobs, StatsBy, StatsRow};

use super::format::time;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;

/// Count what has happened, from counters
///
/// Jobs are counted in the hour in which it happened. The numbers of a process that was killed may lack its last
/// `events.flush_interval`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Hours to look back, the current one included
    #[arg(long, value_name = "N", default_value = "24")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=8760))]
    hours: u32,

    /// One row for each queue
    #[arg(long)]
    by_queue: bool,

    /// One row for each kind
    #[arg(long)]
    by_kind: bool,

    /// One row for each worker
    #[arg(long)]
    by_worker: bool,

    /// One row for each hour
    #[arg(long)]
    by_hour: bool,

    /// Print JSON: `{"hours": N, "rows": [...]}`, with all types
    #[arg(long)]
    json: bool,
}

/// The columns of a table: the states that people ask for.
const COLUMNS: [(EventType, &str); 6] = [
    (EventType::Enqueued, "ENQUEUED"),
    (EventType::Started, "STARTED"),
    (EventType::Completed, "COMPLETED"),
    (EventType::RetryScheduled, "RETRIED"),
    (EventType::Failed, "FAILED"),
    (EventType::Cancelled, "CANCELLED"),
];

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let flags = [
        (args.by_hour, StatsBy::Hour, "HOUR"),
        (args.by_queue, StatsBy::Queue, "QUEUE"),
        (args.by_kind, StatsBy::Kind, "KIND"),
        (args.by_worker, StatsBy::Worker, "WORKER"),
    ];
    let chosen: Vec<_> = flags.iter().filter(|(is, ..)| *is).collect();
    let by: Vec<StatsBy> = chosen.iter().map(|(_, by, _)| *by).collect();
    let stats = jobs.events().stats(args.hours, &by).await?;
    if args.json {
        return Ok(context.output.json(&stats)?);
    }
    if stats.rows.is_empty() {
        context.output.note(format!(
            "nothing was counted in the last {} hours",
            args.hours
        ));
        return Ok(());
    }
    let columns = COLUMNS.iter().map(|(_, name)| *name);
    let head: Vec<&str> = chosen
        .iter()
        .map(|(.., name)| *name)
        .chain(columns)
        .collect();
    let mut table = Table::new(&[&head[..], &["FAILURES", "MEAN TIME"]].concat());
    for row in &stats.rows {
        table.row(cells(row));
    }
    Ok(context.output.table(table)?)
}

fn cells(row: &StatsRow) -> Vec<String> {
    let hour = row.hour_s.map(|s| time(s * 1000));
    let parts = [
        hour,
        row.queue.clone(),
        row.kind.clone(),
        row.worker.clone(),
    ];
    let mut cells: Vec<String> = parts.into_iter().flatten().collect();
    cells.extend(
        COLUMNS
            .iter()
            .map(|(known, _)| row.count(*known).to_string()),
    );
    let rate = row.failure_rate();
    cells.push(rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0)));
    let mean = row.mean_duration();
    cells.push(mean.map_or_else(|| "-".to_owned(), |mean| format!("{mean:?}")));
    cells
}

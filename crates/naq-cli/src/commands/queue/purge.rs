//! `naq queue purge`, also `naq purge`.

use indicatif::ProgressBar;
use naq::{Jobs, PurgePlan, QueueName};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Table, grouped};
use crate::signals::Signals;

/// What is removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Jobs that run are left alone, unless --running says otherwise. Nothing is left of what is removed.

Examples:
  naq purge mail --dry-run
  naq purge mail reports --scheduled")]
pub(crate) struct PurgeArgs {
    /// The queues
    #[arg(required = true)]
    queues: Vec<QueueName>,

    /// Also those that are due later, retries included
    #[arg(long)]
    scheduled: bool,

    /// Also those that were put aside
    #[arg(long)]
    parked: bool,

    /// Also those that workers have: they run to their end, but never again
    #[arg(long)]
    running: bool,

    /// Count, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Print JSON: `{"queues": [{"queue", "purged"}], "purged", "dry_run"}`
    #[arg(long)]
    json: bool,
}

/// Removes the jobs of queues.
pub(crate) async fn purge(context: &Context, jobs: &Jobs, args: PurgeArgs) -> Result<(), CliError> {
    let bar = progress(context, &args);
    let purged = Signals::listen()?
        .unless_stopped(all(jobs, &args, &bar))
        .await;
    bar.finish_and_clear();
    let purged =
        purged.map_err(|error| error.hint("call it again: it goes on with what is left"))??;
    let sum: u64 = purged.iter().map(|(_, count)| count).sum();
    let out = &context.output;
    if args.json {
        let queues: Vec<Value> = purged
            .iter()
            .map(|(queue, count)| json!({ "queue": queue.as_str(), "purged": count }))
            .collect();
        let dry_run = args.dry_run;
        return Ok(out.json(&json!({ "queues": queues, "purged": sum, "dry_run": dry_run }))?);
    }
    let mut table = Table::new(&[
        "QUEUE",
        if args.dry_run {
            "WOULD BE PURGED"
        } else {
            "PURGED"
        },
    ]);
    for (queue, count) in &purged {
        table.row([queue.to_string(), grouped(*count)]);
    }
    if purged.len() > 1 {
        table.row(["in all".to_owned(), grouped(sum)]);
    }
    Ok(out.table(table)?)
}

/// One by one takes a while, and how many there are is not known before.
fn progress(context: &Context, args: &PurgeArgs) -> ProgressBar {
    match args.json || args.dry_run {
        true => ProgressBar::hidden(),
        false => {
            let template = "{spinner} {human_pos} removed {per_sec}";
            context.output.progress(None, template)
        }
    }
}

async fn all(
    jobs: &Jobs,
    args: &PurgeArgs,
    bar: &ProgressBar,
) -> Result<Vec<(QueueName, u64)>, CliError> {
    let plan = PurgePlan {
        waiting: true,
        scheduled: args.scheduled,
        parked: args.parked,
        running: args.running,
        is_dry_run: args.dry_run,
    };
    let mut purged = Vec::new();
    for queue in &args.queues {
        let before = bar.position();
        let told = |gone| bar.set_position(before + gone);
        purged.push((queue.clone(), jobs.purge_with(queue, plan, told).await?));
    }
    Ok(purged)
}

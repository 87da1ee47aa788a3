//! `naq events`: what happens to jobs, workers and schedules.

mod filter;
mod format;
mod history;
mod of_workers;
mod replay;
mod stats;
mod tail;
mod workers;

use clap::Subcommand;

pub(crate) use self::of_workers::{WorkerEvents, worker_events};
use crate::context::Context;
use crate::error::CliError;

/// Watch, replay and count what happens to jobs, workers and schedules
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  naq events tail                                    the last ten, and what comes
  naq events tail --type failed --queue mail         failures of one queue
  naq events history 01K8Z0M6V9A7T3Q5X2C4B6N8P1      the life of one job
  naq events stats --hours 24 --by-queue             counted, not scanned
  naq events replay --since 1h --format json | jq    everything of the last hour

Events are sent in batches, at the latest after `events.flush_interval`, and kept for `events.stream.max_age`.")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    #[command(aliases = ["stream", "monitor"])]
    Tail(tail::Args),
    History(history::Args),
    Stats(stats::Args),
    Replay(replay::Args),
    Workers(workers::Args),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| match args.action {
            Action::Tail(args) => Box::pin(tail::run(context, jobs, args)).await,
            Action::History(args) => Box::pin(history::run(context, jobs, args)).await,
            Action::Stats(args) => Box::pin(stats::run(context, jobs, args)).await,
            Action::Replay(args) => Box::pin(replay::run(context, jobs, args)).await,
            Action::Workers(args) => Box::pin(workers::run(context, jobs, args)).await,
        })
        .await
}

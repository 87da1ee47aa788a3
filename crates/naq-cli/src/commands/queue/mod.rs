//! `naq queue`: how deep the queues are, removing what waits, and what is changed while workers run.

mod change;
mod limit;
mod list;
mod purge;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

pub(crate) use list::state;
pub(crate) use purge::{PurgeArgs, purge};

/// List, show or purge queues; pause, resume, limit or scale one for all its workers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  naq queue list
  naq queue show mail --json | jq .waiting     a signal for an autoscaler
  naq queue pause mail --reason 'the relay is down'
  naq queue purge mail --dry-run")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::ListArgs),
    Show(list::ShowArgs),
    Pause(change::PauseArgs),
    Resume(change::ResumeArgs),
    Limit(limit::Args),
    Scale(change::ScaleArgs),
    /// Remove the jobs of queues that wait
    Purge(PurgeArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| match args.action {
            Action::List(args) => list::list(context, jobs, args).await,
            Action::Show(args) => list::show(context, jobs, args).await,
            Action::Pause(args) => change::pause(context, jobs, args).await,
            Action::Resume(args) => change::resume(context, jobs, args).await,
            Action::Limit(args) => limit::run(context, jobs, args).await,
            Action::Scale(args) => change::scale(context, jobs, args).await,
            Action::Purge(args) => purge(context, jobs, args).await,
        })
        .await
}

/// `naq purge`, the short form.
pub(crate) async fn run_purge(context: &Context, args: PurgeArgs) -> Result<(), CliError> {
    let action = Action::Purge(args);
    run(context, Args { action }).await
}

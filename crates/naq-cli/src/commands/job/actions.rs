//! The commands of `naq job`.

use clap::Subcommand;
use naq::Jobs;

use super::control::{self as words, ControlArgs};
use super::{cancel, list, show, watch};
use crate::commands::queue;
use crate::context::Context;
use crate::error::CliError;

/// Show, list, watch, cancel or remove jobs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  naq job status invoice-17
  naq job list --queue mail --state scheduled
  naq job watch import-3        progress, log and result, live
  naq job cancel import-3 --reason 'no longer needed'
  naq explain invoice-17        why does it not run?")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Status(show::StatusArgs),
    Show(show::ShowArgs),
    Payload(show::PayloadArgs),
    List(list::Args),
    Delete(show::DeleteArgs),
    Cancel(cancel::Args),
    Control(ControlArgs),
    /// Remove the jobs of queues that wait: the same as `naq queue purge`
    Purge(queue::PurgeArgs),
    Watch(watch::Args),
    Logs(watch::LogsArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| act(context, jobs, args.action).await)
        .await
}

async fn act(context: &Context, jobs: &Jobs, action: Action) -> Result<(), CliError> {
    match action {
        Action::Status(args) => show::status(context, jobs, args).await,
        Action::Show(args) => show::show(context, jobs, args).await,
        Action::Payload(args) => show::payload(context, jobs, args).await,
        Action::List(args) => list::run(context, jobs, args).await,
        Action::Delete(args) => show::delete(context, jobs, args).await,
        Action::Cancel(args) => cancel::run(context, jobs, args).await,
        Action::Control(args) => Box::pin(words::run(context, jobs, args)).await,
        Action::Purge(args) => queue::purge(context, jobs, args).await,
        Action::Watch(args) => Box::pin(watch::run(context, jobs, args)).await,
        Action::Logs(args) => Box::pin(watch::logs(context, jobs, args)).await,
    }
}

/// `naq job-control`, the old form.
pub(crate) async fn control(context: &Context, args: ControlArgs) -> Result<(), CliError> {
    let action = Action::Control(args);
    Box::pin(run(context, Args { action })).await
}

//! `naq job`: one job, or those that have not ended.

mod action;
mod cancel;
mod control;
mod describe;
mod list;
mod show;
mod watch;

pub(crate) use self::control::ControlArgs;

use self::action::Action;
use super::queue;
use crate::context::Context;
use crate::error::CliError;
use crate::logging::{self, Level};

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

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    if let Action::Purge(args) = args.action {
        return queue::purge(context, args).await;
    }
    let jobs = context.jobs().await?;
    let done = action::run(context, &jobs, args.action).await;
    jobs.shutdown().await;
    done
}

/// `naq job-control`, the old form.
pub(crate) async fn control(context: &Context, args: ControlArgs) -> Result<(), CliError> {
    let action = Action::Control(args);
    Box::pin(run(context, Args { action })).await
}

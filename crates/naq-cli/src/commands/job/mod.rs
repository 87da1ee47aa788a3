//! `naq job`: one job, or those that have not ended.

mod cancel;
mod describe;
mod list;
mod show;
mod watch;

use clap::Subcommand;

pub(crate) use self::cancel::ControlArgs;

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
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

#[derive(Debug, Subcommand)]
enum Action {
    Status(show::StatusArgs),
    Show(show::ShowArgs),
    List(list::Args),
    Delete(show::DeleteArgs),
    Cancel(cancel::Args),
    Watch(watch::Args),
    Logs(watch::LogsArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    let jobs = context.jobs().await?;
    let done = match args.action {
        Action::Status(args) => show::status(context, &jobs, args).await,
        Action::Show(args) => show::show(context, &jobs, args).await,
        Action::List(args) => list::run(context, &jobs, args).await,
        Action::Delete(args) => show::delete(context, &jobs, args).await,
        Action::Cancel(args) => cancel::run(context, &jobs, args).await,
        Action::Watch(args) => Box::pin(watch::run(context, &jobs, args)).await,
        Action::Logs(args) => Box::pin(watch::logs(context, &jobs, args)).await,
    };
    jobs.shutdown().await;
    done
}

/// `naq job-control`, the old form.
pub(crate) async fn control(context: &Context, args: ControlArgs) -> Result<(), CliError> {
    let action = Action::Cancel(args.into_cancel());
    Box::pin(run(context, Args { action })).await
}

fn not_there(id: &naq::JobId) -> CliError {
    CliError::new(
        exit_code::NOT_FOUND,
        format!("nothing is stored of job {id}"),
    )
    .hint("it never was, its outcome has expired, or it completed without keeping one")
}

//! `naq job`: one job, or those that have not ended.

mod describe;
mod list;
mod show;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::logging::{self, Level};

/// Show, list or remove jobs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  naq job status invoice-17
  naq job list --queue mail --state scheduled
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
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    let jobs = context.jobs().await?;
    let done = match args.action {
        Action::Status(args) => show::status(context, &jobs, args).await,
        Action::Show(args) => show::show(context, &jobs, args).await,
        Action::List(args) => list::run(context, &jobs, args).await,
        Action::Delete(args) => show::delete(context, &jobs, args).await,
    };
    jobs.shutdown().await;
    done
}

fn not_there(id: &naq::JobId) -> CliError {
    CliError::new(
        exit_code::NOT_FOUND,
        format!("nothing is stored of job {id}"),
    )
    .hint("it never was, its outcome has expired, or it completed without keeping one")
}

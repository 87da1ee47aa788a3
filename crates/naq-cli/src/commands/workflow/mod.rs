//! `naq workflow`: jobs that wait for one another.

mod change;
mod dot;
mod explain;
mod file;
mod layout;
mod list;
mod show;
mod signal;
mod submit;
mod svg;
mod text;

use clap::Subcommand;
use naq::JobId;

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Workflows: submit, list, show, explain, signal, cancel, retry, delete
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Submit(submit::Args),
    List(list::Args),
    Show(show::Args),
    Explain(explain::Args),
    Signal(signal::Args),
    Cancel(change::CancelArgs),
    Retry(change::RetryArgs),
    Delete(change::DeleteArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| match args.action {
            Action::Submit(args) => submit::run(context, jobs, args).await,
            Action::List(args) => list::run(context, jobs, args).await,
            Action::Show(args) => show::run(context, jobs, args).await,
            Action::Explain(args) => explain::run(context, jobs, args).await,
            Action::Signal(args) => signal::run(context, jobs, args).await,
            Action::Cancel(args) => change::cancel(context, jobs, args).await,
            Action::Retry(args) => change::retry(context, jobs, args).await,
            Action::Delete(args) => change::delete(context, jobs, args).await,
        })
        .await
}

fn not_there(id: &JobId) -> CliError {
    let message = format!("there is no workflow {id}");
    CliError::new(exit_code::NOT_FOUND, message)
        .hint("`naq workflow list` lists those that there are")
}

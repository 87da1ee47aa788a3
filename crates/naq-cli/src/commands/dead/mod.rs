//! `naq dead`: the jobs that were given up.

mod bulk;
mod change;
mod edit;
mod filter_flags;
mod groups;
mod list;
mod show;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Look after dead letters: jobs that were given up
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::Args),
    Groups(groups::Args),
    Show(show::Args),
    Edit(edit::Args),
    Retry(change::RetryArgs),
    Delete(change::DeleteArgs),
    Purge(change::PurgeArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| match args.action {
            Action::List(args) => list::run(context, jobs, args).await,
            Action::Groups(args) => groups::run(context, jobs, args).await,
            Action::Show(args) => show::run(context, jobs, args).await,
            Action::Edit(args) => edit::run(context, jobs, args).await,
            Action::Retry(args) => change::retry(context, jobs, args).await,
            Action::Delete(args) => change::delete(context, jobs, args).await,
            Action::Purge(args) => change::purge(context, jobs, args).await,
        })
        .await
}

fn not_there(id: &naq::JobId) -> CliError {
    CliError::new(
        exit_code::NOT_FOUND,
        format!("there is no dead letter of job {id}"),
    )
    .hint("`naq dead list` lists those that there are")
}

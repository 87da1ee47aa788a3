//! `naq result`: what became of jobs.

mod change;
mod get;
mod list;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

pub(crate) use get::FOR_EVER;

/// Print the result of a job; list or remove results
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = get::HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    get: get::GetFlags,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::Args),
    /// Print the result of a job: the same as `naq result ID`
    Show(get::ShowArgs),
    /// Wait for the end of a job and print its result: the same as `naq result ID --wait`
    Wait(get::WaitArgs),
    Delete(change::DeleteArgs),
    Purge(change::PurgeArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    match args.action {
        None => get::run(context, args.get.asked()).await,
        Some(Action::Show(args)) => get::run(context, args.asked()).await,
        Some(Action::Wait(args)) => get::run(context, args.asked()).await,
        Some(Action::List(args)) => list::run(context, args).await,
        Some(Action::Delete(args)) => change::delete(context, args).await,
        Some(Action::Purge(args)) => change::purge(context, args).await,
    }
}

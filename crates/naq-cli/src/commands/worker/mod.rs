//! `naq worker`: runs the command handlers of the configuration, or lists the live workers.

mod list;
mod start;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

pub(crate) use list::{ListArgs, list};

/// Run jobs with the commands of the configuration, or list the live workers
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = start::HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    start: start::Flags,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the live workers
    #[command(visible_alias = "status")]
    List(ListArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    match args.action {
        Some(Action::List(args)) => list(context, args).await,
        None => start::start(context, args.start).await,
    }
}

//! `naq kind`: pause and resume the jobs of a kind, in all queues.

mod change;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

/// Pause and resume the jobs of a kind, in all queues
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Pause(change::PauseArgs),
    Resume(change::ResumeArgs),
    List(change::ListArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| match args.action {
            Action::Pause(args) => change::pause(context, jobs, args).await,
            Action::Resume(args) => change::resume(context, jobs, args).await,
            Action::List(args) => change::list(context, jobs, args).await,
        })
        .await
}

//! `naq kind`: pause, resume and limit the jobs of a kind, in all queues.

mod change;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

/// Pause, resume and limit the jobs of a kind, in all queues
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Pause(change::PauseArgs),
    Resume(change::ResumeArgs),
    Limit(change::LimitArgs),
    List(change::ListArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| match args.action {
            Action::Pause(args) => change::pause(context, jobs, args).await,
            Action::Resume(args) => change::resume(context, jobs, args).await,
            Action::Limit(args) => change::limit(context, jobs, args).await,
            Action::List(args) => change::list(context, jobs, args).await,
        })
        .await
}

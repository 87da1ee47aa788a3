//! `naq queue`: pause, resume, limit and scale a queue while its workers run.

mod change;
mod limit;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;
use crate::logging::{self, Level};

/// Change how the jobs of a queue are run, for all workers and at once: pause, resume, limit, scale
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Pause(change::PauseArgs),
    Resume(change::ResumeArgs),
    Limit(limit::Args),
    Scale(change::ScaleArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    let jobs = context.jobs().await?;
    let done = match args.action {
        Action::Pause(args) => change::pause(context, &jobs, args).await,
        Action::Resume(args) => change::resume(context, &jobs, args).await,
        Action::Limit(args) => limit::run(context, &jobs, args).await,
        Action::Scale(args) => change::scale(context, &jobs, args).await,
    };
    jobs.shutdown().await;
    done
}

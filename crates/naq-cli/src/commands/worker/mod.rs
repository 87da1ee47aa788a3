//! `naq worker`: runs the command handlers of the configuration, lists the live workers, or changes one of them.

mod control;
mod list;
mod start;

use clap::Subcommand;

use self::control::Change;
use super::events::{WorkerEvents, worker_events};
use crate::context::Context;
use crate::error::CliError;

pub(crate) use list::{ListArgs, list};

/// Run jobs with the commands of the configuration; list the live workers, show their events, or change one: quiet, resume, scale, stop
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
    /// Run jobs with the commands of the configuration: the same as `naq worker`
    Start(start::Flags),
    /// List the live workers
    #[command(visible_alias = "status")]
    List(ListArgs),
    Events(WorkerEvents),
    Quiet(control::QuietArgs),
    Resume(control::ResumeArgs),
    Scale(control::ScaleArgs),
    Stop(control::StopArgs),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    match args.action {
        Some(Action::Start(flags)) => start::start(context, flags).await,
        Some(Action::List(args)) => list(context, args).await,
        Some(Action::Events(args)) => worker_events(context, args).await,
        Some(Action::Quiet(args)) => control::change(context, Change::Quiet(args)).await,
        Some(Action::Resume(args)) => control::change(context, Change::Resume(args)).await,
        Some(Action::Scale(args)) => control::change(context, Change::Scale(args)).await,
        Some(Action::Stop(args)) => control::change(context, Change::Stop(args)).await,
        None => start::start(context, args.start).await,
    }
}

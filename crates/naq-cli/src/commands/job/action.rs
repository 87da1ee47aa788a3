//! What `naq job` can do.

use clap::Subcommand;
use naq::Jobs;

use super::control::{self, ControlArgs};
use super::{cancel, list, show, watch};
use crate::commands::queue;
use crate::context::Context;
use crate::error::CliError;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    Status(show::StatusArgs),
    Show(show::ShowArgs),
    Payload(show::PayloadArgs),
    List(list::Args),
    Delete(show::DeleteArgs),
    Cancel(cancel::Args),
    Control(ControlArgs),
    /// Remove the jobs of queues that wait: the same as `naq queue purge`
    Purge(queue::PurgeArgs),
    Watch(watch::Args),
    Logs(watch::LogsArgs),
}

pub(super) async fn run(context: &Context, jobs: &Jobs, action: Action) -> Result<(), CliError> {
    match action {
        Action::Status(args) => show::status(context, jobs, args).await,
        Action::Show(args) => show::show(context, jobs, args).await,
        Action::Payload(args) => show::payload(context, jobs, args).await,
        Action::List(args) => list::run(context, jobs, args).await,
        Action::Delete(args) => show::delete(context, jobs, args).await,
        Action::Cancel(args) => cancel::run(context, jobs, args).await,
        Action::Control(args) => Box::pin(control::run(context, jobs, args)).await,
        Action::Purge(_) => Ok(()),
        Action::Watch(args) => Box::pin(watch::run(context, jobs, args)).await,
        Action::Logs(args) => Box::pin(watch::logs(context, jobs, args)).await,
    }
}

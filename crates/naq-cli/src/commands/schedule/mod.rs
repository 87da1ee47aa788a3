//! `naq schedule`: recurring work.

mod change;
mod create;
mod list;
mod plan_flags;
mod preview;
mod show;
mod show_explanation;
mod show_firings;
mod start;

use clap::Subcommand;

pub(crate) use self::list::Args as ListArgs;
pub(super) use self::show_explanation::show_explanation;
use crate::context::Context;
use crate::error::CliError;

/// Recurring work: create, list, show, pause, resume, modify, trigger, delete, preview
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Box<create::Args>),
    #[command(alias = "jobs")]
    List(list::Args),
    Show(show::Args),
    Pause(change::PauseArgs),
    Resume(change::ResumeArgs),
    #[command(visible_alias = "reschedule")]
    Modify(change::ModifyArgs),
    Trigger(change::TriggerArgs),
    #[command(visible_alias = "cancel")]
    Delete(change::DeleteArgs),
    Preview(preview::Args),
    #[command(hide = true)]
    Start(start::Args),
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    match &args.action {
        Action::Preview(args) => return preview::run(context, args),
        Action::Start(_) => return Err(start::refused()),
        _ => {}
    }
    context
        .with_jobs(async |jobs| match args.action {
            Action::Create(args) => create::run(context, jobs, *args).await,
            Action::List(args) => list::run(context, jobs, args).await,
            Action::Show(args) => show::run(context, jobs, args).await,
            Action::Pause(args) => change::pause(context, jobs, args).await,
            Action::Resume(args) => change::resume(context, jobs, args).await,
            Action::Modify(args) => change::modify(context, jobs, args).await,
            Action::Trigger(args) => change::trigger(context, jobs, args).await,
            Action::Delete(args) => change::delete(context, jobs, args).await,
            Action::Preview(_) | Action::Start(_) => Ok(()),
        })
        .await
}

/// `naq list-scheduled`, the old name of `naq schedule list`.
pub(crate) async fn list(context: &Context, args: ListArgs) -> Result<(), CliError> {
    let action = Action::List(args);
    Box::pin(run(context, Args { action })).await
}

//! `naq schedule pause`, `resume`, `modify`, `trigger` and `delete`.

use naq::{Jobs, JobsError, JobsErrorKind, Schedule, ScheduleName};
use serde_json::json;

use super::plan_flags::PlanFlags;
use super::show::{described, not_there, state, when};
use crate::context::Context;
use crate::error::CliError;

/// What most of them take.
#[derive(Debug, clap::Args)]
struct Target {
    /// The schedule's name
    name: ScheduleName,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Stop a schedule from firing until it is resumed
#[derive(Debug, clap::Args)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    target: Target,
}

/// Let a paused schedule fire again, from now on
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    target: Target,
}

/// Change when a schedule fires; what is not said stays
#[derive(Debug, clap::Args)]
pub(super) struct ModifyArgs {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    plan: PlanFlags,
}

/// Make a job of a schedule now, and print its id
#[derive(Debug, clap::Args)]
pub(super) struct TriggerArgs {
    #[command(flatten)]
    target: Target,
}

/// Remove a schedule; jobs that it has made stay
#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    target: Target,
}

pub(super) async fn pause(context: &Context, jobs: &Jobs, args: PauseArgs) -> Result<(), CliError> {
    let name = &args.target.name;
    changed(context, &args.target, jobs.schedules().pause(name).await)
}

pub(super) async fn resume(
    context: &Context,
    jobs: &Jobs,
    args: ResumeArgs,
) -> Result<(), CliError> {
    let name = &args.target.name;
    changed(context, &args.target, jobs.schedules().resume(name).await)
}

pub(super) async fn modify(
    context: &Context,
    jobs: &Jobs,
    args: ModifyArgs,
) -> Result<(), CliError> {
    let plan = args.plan.some_plan()?;
    let done = jobs.schedules().modify(&args.target.name, &plan).await;
    changed(context, &args.target, done)
}

pub(super) async fn trigger(
    context: &Context,
    jobs: &Jobs,
    args: TriggerArgs,
) -> Result<(), CliError> {
    let id = jobs.schedules().trigger(&args.target.name).await;
    let id = id.map_err(|error| explained(error, &args.target.name))?;
    if args.target.json {
        return Ok(context.output.json(&json!({ "id": id.as_str() }))?);
    }
    Ok(context.output.line(id.as_str())?)
}

pub(super) async fn delete(
    context: &Context,
    jobs: &Jobs,
    args: DeleteArgs,
) -> Result<(), CliError> {
    let name = &args.target.name;
    if !jobs.schedules().delete(name).await? {
        return Err(not_there(name));
    }
    if args.target.json {
        return Ok(context.output.json(&json!({ "name": name.as_str() }))?);
    }
    Ok(context.output.line(format!("{name} is deleted"))?)
}

fn changed(
    context: &Context,
    target: &Target,
    done: Result<Schedule, JobsError>,
) -> Result<(), CliError> {
    let schedule = done.map_err(|error| explained(error, &target.name))?;
    if target.json {
        return Ok(context.output.json(&described(&schedule))?);
    }
    let (state, next) = (state(&schedule), when(schedule.next(), schedule.zone()));
    Ok(context
        .output
        .line(format!("{} is {state}; next: {next}", target.name))?)
}

fn explained(error: JobsError, name: &ScheduleName) -> CliError {
    match error.kind() {
        JobsErrorKind::NotFound => not_there(name),
        _ => error.into(),
    }
}

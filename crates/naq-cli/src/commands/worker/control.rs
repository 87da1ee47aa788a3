//! `naq worker quiet`, `resume`, `scale` and `stop`: changes a worker that runs somewhere.

use naq::{Jobs, WorkerSetting};
use serde_json::json;

use crate::commands::operator::{Reason, controls};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Which worker.
#[derive(Debug, clap::Args)]
struct Target {
    /// The worker's id, or its beginning if no other one begins so; `naq worker list` shows them
    #[arg(value_name = "WORKER")]
    id: String,

    /// Print JSON: what is set for the worker
    #[arg(long)]
    json: bool,
}

/// Let a worker take no more jobs; those that it runs go on
#[derive(Debug, clap::Args)]
pub(super) struct QuietArgs {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    reason: Reason,
}

/// Let a quiet worker take jobs again
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    target: Target,
}

/// Give a worker so many slots; running jobs keep theirs
#[derive(Debug, clap::Args)]
pub(super) struct ScaleArgs {
    #[command(flatten)]
    target: Target,

    /// Slots, 1 to 1000
    #[arg(value_name = "SLOTS", required_unless_present = "reset")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
    slots: Option<u32>,

    /// Leave it to the worker and its queues again
    #[arg(long, conflicts_with = "slots")]
    reset: bool,
}

/// Let a worker end, as a signal would: running jobs get `workers.shutdown_timeout`
#[derive(Debug, clap::Args)]
pub(super) struct StopArgs {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    reason: Reason,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Change {
    Quiet(QuietArgs),
    Resume(ResumeArgs),
    Scale(ScaleArgs),
    Stop(StopArgs),
}

pub(super) async fn change(context: &Context, change: Change) -> Result<(), CliError> {
    context
        .with_jobs(async |jobs| apply(context, jobs, change).await)
        .await
}

async fn apply(context: &Context, jobs: &Jobs, change: Change) -> Result<(), CliError> {
    let controls = controls(jobs);
    let (target, id, set, done) = match change {
        Change::Quiet(args) => {
            let id = known(jobs, &args.target.id).await?;
            let set = controls
                .quiet_worker(&id, args.reason.reason.as_deref())
                .await?;
            (args.target, id, set, "takes no more jobs".to_owned())
        }
        Change::Resume(args) => {
            let id = known(jobs, &args.target.id).await?;
            let set = controls.resume_worker(&id).await?;
            (args.target, id, set, "takes jobs".to_owned())
        }
        Change::Scale(args) => {
            let id = known(jobs, &args.target.id).await?;
            let set = controls.scale_worker(&id, args.slots).await?;
            let done = match args.slots {
                Some(slots) => {
                    format!("has {slots} slots, or one for each of its queues if it has more")
                }
                None => "has its own number of slots".to_owned(),
            };
            (args.target, id, set, done)
        }
        Change::Stop(args) => {
            let id = known(jobs, &args.target.id).await?;
            let set = controls
                .stop_worker(&id, args.reason.reason.as_deref())
                .await?;
            (args.target, id, set, "is told to stop".to_owned())
        }
    };
    say(context, &target, &id, &set, &done)
}

fn say(
    context: &Context,
    target: &Target,
    id: &str,
    set: &WorkerSetting,
    done: &str,
) -> Result<(), CliError> {
    if !target.json {
        return Ok(context.output.line(format!("{id} {done}"))?);
    }
    let mut value = json!(set);
    value["worker_id"] = json!(id);
    Ok(context.output.json(&value)?)
}

/// The id of the live worker that is meant.
async fn known(jobs: &Jobs, text: &str) -> Result<String, CliError> {
    let workers = jobs.workers().await?;
    let ids = || {
        workers
            .iter()
            .map(|worker| worker.record.worker_id.as_str())
    };
    if let Some(exact) = ids().find(|id| *id == text) {
        return Ok(exact.to_owned());
    }
    let fitting: Vec<&str> = ids().filter(|id| id.starts_with(text)).collect();
    match fitting[..] {
        [one] => Ok(one.to_owned()),
        [] => {
            let error = CliError::new(exit_code::NOT_FOUND, format!("there is no worker {text}"));
            Err(error.hint("`naq worker list` shows the live ones"))
        }
        _ => {
            let text = format!(
                "{} workers begin with {text}: {}",
                fitting.len(),
                fitting.join(", ")
            );
            Err(CliError::usage(text))
        }
    }
}

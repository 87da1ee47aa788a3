//! `naq queue pause`, `resume` and `scale`.

use naq::{Jobs, QueueName};
use serde_json::json;

use super::limit::described;
use crate::commands::operator::{Reason, controls};
use crate::context::Context;
use crate::error::CliError;

/// Deliver no more jobs of a queue, to any worker; those that run go on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  naq queue pause mail --reason 'the relay is down'")]
pub(super) struct PauseArgs {
    /// The queue
    queue: QueueName,

    #[command(flatten)]
    reason: Reason,

    /// Print JSON: what is set for the queue
    #[arg(long)]
    json: bool,
}

/// Deliver the jobs of a paused queue again
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// The queue
    queue: QueueName,

    /// Print JSON: what is set for the queue
    #[arg(long)]
    json: bool,
}

/// Give each worker of a queue so many slots, also those that start later
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A worker keeps one slot for each of its queues, and running jobs keep theirs. What \
                  `naq worker scale` says goes first.\n\nExamples:\n  naq queue scale mail 20\n  \
                  naq queue scale mail --reset"
)]
pub(super) struct ScaleArgs {
    /// The queue
    queue: QueueName,

    /// Slots of each worker, 1 to 1000
    #[arg(value_name = "SLOTS", required_unless_present = "reset")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
    slots: Option<u32>,

    /// Leave it to the workers again
    #[arg(long, conflicts_with = "slots")]
    reset: bool,

    /// Print JSON: what is set for the queue
    #[arg(long)]
    json: bool,
}

pub(super) async fn pause(context: &Context, jobs: &Jobs, args: PauseArgs) -> Result<(), CliError> {
    let queue = &args.queue;
    let set = controls(jobs)
        .pause_queue(queue, args.reason.reason.as_deref())
        .await?;
    if args.json {
        return Ok(context.output.json(&described(queue, &set))?);
    }
    let line = format!("{queue} is paused; `naq queue resume {queue}` ends it");
    Ok(context.output.line(line)?)
}

pub(super) async fn resume(
    context: &Context,
    jobs: &Jobs,
    args: ResumeArgs,
) -> Result<(), CliError> {
    let queue = &args.queue;
    let set = controls(jobs).resume_queue(queue).await?;
    if args.json {
        return Ok(context.output.json(&described(queue, &set))?);
    }
    Ok(context.output.line(format!("{queue} is not paused"))?)
}

pub(super) async fn scale(context: &Context, jobs: &Jobs, args: ScaleArgs) -> Result<(), CliError> {
    let queue = &args.queue;
    let set = controls(jobs).scale_queue(queue, args.slots).await?;
    // Who serves it now; those who start later follow as well.
    let workers = jobs.workers().await?;
    let serves = |queues: &[String]| queues.iter().any(|name| name == queue.as_str());
    let count = workers.iter().filter(|w| serves(&w.record.queues)).count();
    if args.json {
        let mut value = described(queue, &set);
        value["workers"] = json!(count);
        return Ok(context.output.json(&value)?);
    }
    let line = match args.slots {
        Some(slots) => format!("{slots} slots for each worker of {queue}; it has {count} now"),
        None => format!("the {count} workers of {queue} have their own number of slots"),
    };
    Ok(context.output.line(line)?)
}

//! `naq job-control`, the old form: one id, one word. Schedules are controlled by it, too.

use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use naq::{JobId, Jobs, ScheduleChange, ScheduleName};
use serde_json::json;

use super::{cancel, show};
use crate::commands::enqueue::moment;
use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::exit_code;

/// Control a job or a schedule: the old form of `naq job ...`, `naq dead ...` and `naq schedule ...`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What has no name but its id:
  cancel       a job wherever it is; a schedule is removed
  delete       a job that has not started, or a dead letter
  requeue      a dead letter back into its queue
  pause, resume, reschedule     a schedule; for jobs of a kind or queue see `naq kind` and `naq queue`

Examples:
  naq job-control invoice-17 cancel
  naq job-control nightly-report reschedule --cron '0 3 * * *'
  naq job-control nightly-report reschedule --interval 1h --repeat 24")]
pub(crate) struct ControlArgs {
    /// The job's id, or the schedule's name
    id: JobId,

    /// What to do
    action: Word,

    /// With reschedule: five fields, or six with seconds first
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "interval")]
    cron: Option<String>,

    /// With reschedule: each so much time
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    interval: Option<Duration>,

    /// With reschedule: so many jobs, then it ends
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    repeat: Option<u64>,

    /// With reschedule: not before this moment, RFC 3339
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    next_run: Option<SystemTime>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// Cancel a job, or remove a schedule
    Cancel,
    /// Stop a schedule from firing
    Pause,
    /// Let a paused schedule fire again
    Resume,
    /// Change when a schedule fires
    Reschedule,
    /// Put a dead letter back into its queue
    Requeue,
    /// Remove a job that has not started, or a dead letter
    Delete,
}

impl ControlArgs {
    /// When the schedule is to fire; `None` if nothing was said.
    fn plan(&self) -> Option<ScheduleChange> {
        let mut plan = ScheduleChange::new();
        if let Some(cron) = &self.cron {
            plan = plan.cron(cron.clone());
        }
        if let Some(interval) = self.interval {
            plan = plan.every(interval);
        }
        if let Some(jobs) = self.repeat {
            plan = plan.repeat(jobs);
        }
        if let Some(moment) = self.next_run {
            plan = plan.start(moment);
        }
        (plan != ScheduleChange::new()).then_some(plan)
    }
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: ControlArgs) -> Result<(), CliError> {
    let (id, json, plan) = (args.id.clone(), args.json, args.plan());
    if plan.is_some() && args.action != Word::Reschedule {
        let text = "--cron, --interval, --repeat and --next-run belong to `reschedule`";
        return Err(CliError::usage(text));
    }
    let (schedules, letters) = (jobs.schedules(), jobs.dead_letters());
    let what = match args.action {
        Word::Cancel => match schedule_of(jobs, &id).await? {
            Some(name) => {
                schedules.delete(&name).await?;
                "is a schedule, and is removed"
            }
            None => return cancel::run(context, jobs, cancel::Args::plain(id, json)).await,
        },
        Word::Delete if letters.delete(&id).await? => "was a dead letter, and is deleted",
        Word::Delete => return show::delete(context, jobs, show::DeleteArgs { id, json }).await,
        Word::Requeue => {
            letters.requeue(&id).await?;
            "is back in its queue"
        }
        Word::Pause => {
            schedules.pause(&named(jobs, &id).await?).await?;
            "is paused"
        }
        Word::Resume => {
            schedules.resume(&named(jobs, &id).await?).await?;
            "fires again"
        }
        Word::Reschedule => {
            let plan = plan.ok_or_else(|| {
                CliError::usage("nothing says when it is to fire")
                    .hint("give --cron, --interval, --repeat or --next-run")
            })?;
            schedules.modify(&named(jobs, &id).await?, &plan).await?;
            "fires anew"
        }
    };
    if json {
        return Ok(context
            .output
            .json(&json!({ "id": id.as_str(), "done": what }))?);
    }
    Ok(context.output.line(format!("{id} {what}"))?)
}

/// The schedule of this name, if there is one.
async fn schedule_of(jobs: &Jobs, id: &JobId) -> Result<Option<ScheduleName>, CliError> {
    let Ok(name) = ScheduleName::new(id.as_str()) else {
        return Ok(None);
    };
    Ok(jobs.schedules().get(&name).await?.map(|_| name))
}

async fn named(jobs: &Jobs, id: &JobId) -> Result<ScheduleName, CliError> {
    schedule_of(jobs, id).await?.ok_or_else(|| {
        let text = format!("there is no schedule {id}, and a single job cannot be paused or moved");
        CliError::new(exit_code::NOT_FOUND, text).hint(
            "`naq schedule list` has the schedules; `naq job-control <ID> cancel` ends a job, `naq kind pause` and \
             `naq queue pause` hold back those of a kind or queue",
        )
    })
}

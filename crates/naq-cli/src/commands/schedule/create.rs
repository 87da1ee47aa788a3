//! `naq schedule create`.

use naq::{Job, Jobs, ScheduleName};

use super::plan_flags::PlanFlags;
use super::show::{described, when};
use crate::commands::job_flags::JobFlags;
use crate::commands::payload;
use crate::context::Context;
use crate::error::CliError;

/// Create a schedule: a job that is made again and again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  naq schedule create sales-report report '{\"of\": \"sales\"}' --cron '0 9 * * mon-fri' --zone Europe/Amsterdam
  naq schedule create ping ping --every 30s --repeat 10 --overlap skip")]
pub(super) struct Args {
    /// The schedule's name: 1 to 40 of A-Z a-z 0-9 _ -
    name: ScheduleName,

    /// The kind of its jobs: which handler runs them
    kind: String,

    /// The payload as JSON; `-` reads standard input, `@FILE` a file
    #[arg(
        value_name = "JSON",
        default_value = "null",
        allow_hyphen_values = true
    )]
    payload: String,

    #[command(flatten)]
    plan: PlanFlags,

    #[command(flatten)]
    options: JobFlags,

    /// Create it paused, to be resumed later
    #[arg(long)]
    paused: bool,

    /// Print JSON: the schedule
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let job = Job::from_json(args.kind, payload::read(args.payload).await?)?;
    let mut new = jobs
        .schedule(args.options.apply(job)?)
        .plan(args.plan.plan());
    if args.paused {
        new = new.paused();
    }
    let made = new.create(args.name.as_str()).await?;
    if args.json {
        return Ok(context.output.json(&described(&made))?);
    }
    let next = when(made.next(), made.zone());
    Ok(context
        .output
        .line(format!("{} is created; next: {next}", made.name()))?)
}

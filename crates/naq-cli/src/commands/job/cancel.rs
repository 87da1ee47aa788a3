//! `naq job cancel`.

use std::time::Duration;

use naq::{CancelledFrom, JobId, Jobs};
use serde_json::json;

use crate::context::Context;
use crate::duration::parse;
use crate::error::CliError;
use crate::exit_code;

/// Cancel a job, wherever it is
///
/// The outcome `cancelled` is written first. A handler that runs is told at once, and dropped after the grace. There is no
/// dead letter.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 it is cancelled, 5 it had ended before, 7 there is no such job.

Examples:
  naq job cancel invoice-17 --reason 'the order was withdrawn'
  naq job cancel import-3 --grace 1m     time to clean up")]
pub(crate) struct Args {
    /// The job's id
    id: JobId,

    /// Why: in the outcome, and for the handler
    #[arg(short, long, default_value = "cancelled by hand")]
    reason: String,

    /// Time that a running handler gets to end by itself
    #[arg(short, long, value_name = "TIME", value_parser = parse, default_value = "5s")]
    grace: Duration,

    /// Print JSON: `{"id", "cancelled", "was", ...}`
    #[arg(long)]
    json: bool,
}

impl Args {
    /// As the old `naq job-control` has it.
    pub(super) fn plain(id: JobId, json: bool) -> Self {
        Self {
            id,
            reason: "cancelled by hand".to_owned(),
            grace: Duration::from_secs(5),
            json,
        }
    }
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let report = jobs
        .cancel(&args.id)
        .reason(args.reason)
        .grace(args.grace)
        .await?;
    if args.json {
        let mut shown = json!({ "id": args.id.as_str(), "cancelled": report.is_cancelled() });
        if let (Some(shown), Ok(serde_json::Value::Object(from))) =
            (shown.as_object_mut(), serde_json::to_value(&report.from))
        {
            shown.extend(from);
        }
        context.output.json(&shown)?;
    } else if report.is_cancelled() {
        let text = match report.from {
            CancelledFrom::Ended { .. } => format!("{} was cancelled before", args.id),
            ref from => format!("{} is cancelled: it {from}", args.id),
        };
        context.output.line(text)?;
    }
    if report.is_cancelled() {
        return Ok(());
    }
    let message = format!("job {} {}", args.id, report.from);
    let hint = format!("`naq result {}` shows its outcome", args.id);
    Err(CliError::new(exit_code::JOB_FAILED, message).hint(hint))
}

//! `naq job status`, `naq job show`, `naq job payload` and `naq job delete`.

use naq::{JobId, JobStatus, Jobs};
use serde_json::{Value, json};

use super::describe::{described, status_text};
use super::not_there;
use crate::commands::body;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::Table;

/// Print one word: pending, running, scheduled, retry, paused, completed, failed, cancelled or unknown
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 7: unknown, nothing is stored of the job.")]
pub(super) struct StatusArgs {
    /// The job's id
    id: JobId,

    /// Print JSON, with what belongs to the status
    #[arg(long)]
    json: bool,
}

/// Show all that is known of a job, with its payload or its outcome
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 7: nothing is stored of the job.")]
pub(super) struct ShowArgs {
    /// The job's id
    id: JobId,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Print the payload of a job that has not completed, as JSON, also one that is compressed or large
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code 7: nothing that has the payload is stored of the job.

Example:
  naq job payload invoice-17 > payload.json")]
pub(super) struct PayloadArgs {
    /// The job's id
    id: JobId,
}

/// Remove a job that has not started: waiting, scheduled or paused
#[derive(Debug, clap::Args)]
#[command(after_help = "It leaves no outcome. A job that runs is refused.")]
pub(super) struct DeleteArgs {
    /// The job's id
    pub(super) id: JobId,

    /// Print JSON: `{"id": ...}`
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn status(
    context: &Context,
    jobs: &Jobs,
    args: StatusArgs,
) -> Result<(), CliError> {
    let info = jobs.job(&args.id).await?;
    if args.json {
        context.output.json(&described(&info))?;
    } else {
        context.output.line(info.status.word())?;
    }
    match info.status {
        JobStatus::Unknown => Err(CliError::silent(exit_code::NOT_FOUND)),
        _ => Ok(()),
    }
}

pub(super) async fn show(context: &Context, jobs: &Jobs, args: ShowArgs) -> Result<(), CliError> {
    let mut info = jobs.job(&args.id).await?;
    if matches!(info.status, JobStatus::Unknown) {
        return Err(not_there(&args.id));
    }
    if let JobStatus::Ended {
        outcome: Some(outcome),
        ..
    } = &mut info.status
        && outcome.result_zlib.is_some()
        && let Some(whole) = jobs.results().find(&args.id).await?
    {
        **outcome = whole;
    }
    let body = match &info.body {
        Some(body) => Some(body::shown(body, jobs.payload(&args.id)).await),
        None => None,
    };
    let out = &context.output;
    if args.json {
        let mut value = described(&info);
        value["body"] = body.unwrap_or(Value::Null);
        return Ok(out.json(&value)?);
    }
    let mut table = Table::headless();
    table.row(["id", info.id.as_str()]);
    table.row(["status", &status_text(&info.status)]);
    table.row(["kind", info.kind.as_deref().unwrap_or("?")]);
    table.row(["queue", info.queue.as_deref().unwrap_or("?")]);
    table.row(["attempts", &info.attempts.to_string()]);
    out.table(table)?;
    if let Some(body) = body {
        let text = serde_json::to_string_pretty(&body).unwrap_or_default();
        out.line(format!("\njob:\n{text}"))?;
    }
    if let JobStatus::Ended {
        outcome: Some(outcome),
        ..
    } = &info.status
    {
        let text = serde_json::to_string_pretty(outcome).unwrap_or_default();
        out.line(format!("\noutcome:\n{text}"))?;
    }
    Ok(())
}

pub(super) async fn payload(
    context: &Context,
    jobs: &Jobs,
    args: PayloadArgs,
) -> Result<(), CliError> {
    match jobs.payload(&args.id).await? {
        Some(payload) => Ok(context.output.line(payload.get())?),
        None => Err(not_there(&args.id)),
    }
}

pub(super) async fn delete(
    context: &Context,
    jobs: &Jobs,
    args: DeleteArgs,
) -> Result<(), CliError> {
    if !jobs.delete_job(&args.id).await? {
        return Err(CliError::new(
            exit_code::NOT_FOUND,
            format!("there is no job {} that has not started", args.id),
        )
        .hint("`naq job status` says where it is"));
    }
    if args.json {
        return Ok(context.output.json(&json!({ "id": args.id.as_str() }))?);
    }
    Ok(context.output.line(format!("{} is deleted", args.id))?)
}

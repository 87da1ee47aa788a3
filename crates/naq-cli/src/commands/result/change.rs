//! `naq result delete` and `naq result purge`.

use naq::{JobId, ResultFilter};
use serde_json::json;

use super::list::FilterFlags;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::grouped;

/// Remove the outcome of a job
#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// The job's id
    id: JobId,

    /// Print JSON: `{"id": ...}`
    #[arg(long)]
    json: bool,
}

/// Remove all outcomes that fit: by age, kind, status, or all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  naq result purge --older-than 7days --dry-run")]
pub(super) struct PurgeArgs {
    #[command(flatten)]
    filter: FilterFlags,

    /// All of them, if nothing else says which
    #[arg(long)]
    all: bool,

    /// Count, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Print JSON: `{"purged", "dry_run"}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn delete(context: &Context, args: DeleteArgs) -> Result<(), CliError> {
    let removed = context
        .with_jobs(async |jobs| Ok(jobs.results().delete(&args.id).await?))
        .await?;
    if !removed {
        let message = format!("there is no outcome of job {}", args.id);
        return Err(CliError::new(exit_code::NOT_FOUND, message));
    }
    if args.json {
        return Ok(context.output.json(&json!({ "id": args.id.as_str() }))?);
    }
    Ok(context.output.line(format!("{} is deleted", args.id))?)
}

pub(super) async fn purge(context: &Context, args: PurgeArgs) -> Result<(), CliError> {
    let filter = args.filter.filter();
    if filter == ResultFilter::default() && !args.all {
        return Err(CliError::usage("nothing says which outcomes are meant")
            .hint("name an age (--older-than 7days) or another flag; --all removes all"));
    }
    let purged = context
        .with_jobs(async |jobs| Ok(jobs.results().delete_all(&filter, args.dry_run).await?))
        .await?;
    if args.json {
        let said = json!({ "purged": purged, "dry_run": args.dry_run });
        return Ok(context.output.json(&said)?);
    }
    let what = if args.dry_run {
        "would be deleted"
    } else {
        "deleted"
    };
    Ok(context.output.line(format!("{} {what}", grouped(purged)))?)
}

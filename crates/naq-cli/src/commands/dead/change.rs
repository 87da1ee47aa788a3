//! `naq dead retry` and `naq dead delete`.

use naq::{JobId, Jobs};
use serde_json::json;

use super::not_there;
use crate::context::Context;
use crate::error::CliError;

/// Put a job back into its queue, with all its retries
#[derive(Debug, clap::Args)]
pub(super) struct RetryArgs {
    /// The job's id
    id: JobId,

    /// Print JSON: `{"id": ...}`
    #[arg(long)]
    json: bool,
}

/// Remove a dead letter for good
#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// The job's id
    id: JobId,

    /// Print JSON: `{"id": ...}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn retry(context: &Context, jobs: &Jobs, args: RetryArgs) -> Result<(), CliError> {
    let letters = jobs.dead_letters();
    if letters.find(&args.id).await?.is_none() {
        return Err(not_there(&args.id));
    }
    letters.requeue(&args.id).await?;
    done(context, &args.id, args.json, "is back in its queue")
}

pub(super) async fn delete(
    context: &Context,
    jobs: &Jobs,
    args: DeleteArgs,
) -> Result<(), CliError> {
    if !jobs.dead_letters().delete(&args.id).await? {
        return Err(not_there(&args.id));
    }
    done(context, &args.id, args.json, "is deleted")
}

fn done(context: &Context, id: &JobId, as_json: bool, what: &str) -> Result<(), CliError> {
    if as_json {
        return Ok(context.output.json(&json!({ "id": id.as_str() }))?);
    }
    Ok(context.output.line(format!("{id} {what}"))?)
}

//! `naq dead retry`, `naq dead delete` and `naq dead purge`.

use naq::{DeadFilter, JobId, Jobs};
use serde_json::json;

use super::bulk::{Deed, Order};
use super::filter_flags::FilterFlags;
use super::not_there;
use crate::context::Context;
use crate::error::CliError;

/// Put jobs back into their queues, with all their retries
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Can be stopped and called again: it goes on with what is left, and no job runs twice for it.

Examples:
  naq dead retry invoice-17
  naq dead retry --all --kind mail.send --newer-than 1h --dry-run
  naq dead retry --all --group 5f2a9c --limit 10")]
#[command(override_usage = "naq dead retry <ID>\n       naq dead retry --all [OPTIONS]")]
pub(super) struct RetryArgs {
    #[command(flatten)]
    which: Which,
}

/// Remove dead letters for good
#[derive(Debug, clap::Args)]
#[command(override_usage = "naq dead delete <ID>\n       naq dead delete --all [OPTIONS]")]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    which: Which,
}

/// Remove all dead letters that fit, for good: by age, by queue, or all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  naq dead purge --older-than 30days --dry-run")]
pub(super) struct PurgeArgs {
    #[command(flatten)]
    filter: FilterFlags,

    /// All of them, if nothing else says which
    #[arg(long)]
    all: bool,

    /// Count, and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// Print JSON: `{"matched", "done", "failed", "dry_run"}`
    #[arg(long)]
    json: bool,
}

/// One, or all that fit.
#[derive(Debug, clap::Args)]
struct Which {
    /// The job's id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<JobId>,

    /// All that fit the flags
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    filter: FilterFlags,

    /// With --all: at most so many
    #[arg(short = 'n', long, value_name = "N", requires = "all")]
    limit: Option<u64>,

    /// With --all: count, and change nothing
    #[arg(long, requires = "all")]
    dry_run: bool,

    /// Print JSON: `{"id"}`, or `{"matched", "done", "failed", "dry_run"}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn retry(context: &Context, jobs: &Jobs, args: RetryArgs) -> Result<(), CliError> {
    let Some(id) = &args.which.id else {
        return many(context, jobs, Deed::Retry, args.which).await;
    };
    let letters = jobs.dead_letters();
    if letters.find(id).await?.is_none() {
        return Err(not_there(id));
    }
    letters.requeue(id).await?;
    done(context, id, args.which.json, "is back in its queue")
}

pub(super) async fn delete(
    context: &Context,
    jobs: &Jobs,
    args: DeleteArgs,
) -> Result<(), CliError> {
    let Some(id) = &args.which.id else {
        return many(context, jobs, Deed::Delete, args.which).await;
    };
    if !jobs.dead_letters().delete(id).await? {
        return Err(not_there(id));
    }
    done(context, id, args.which.json, "is deleted")
}

pub(super) async fn purge(context: &Context, jobs: &Jobs, args: PurgeArgs) -> Result<(), CliError> {
    let filter = args.filter.filter();
    if filter == DeadFilter::default() && !args.all {
        return Err(
            CliError::usage("nothing says which dead letters are meant").hint(
                "name a queue, an age (--older-than 30days) or another flag; --all removes all",
            ),
        );
    }
    let order = Order {
        deed: Deed::Delete,
        filter,
        most: u64::MAX,
        is_dry_run: args.dry_run,
        as_json: args.json,
    };
    super::bulk::run(context, jobs, order).await
}

async fn many(context: &Context, jobs: &Jobs, deed: Deed, which: Which) -> Result<(), CliError> {
    let order = Order {
        deed,
        filter: which.filter.filter(),
        most: which.limit.unwrap_or(u64::MAX),
        is_dry_run: which.dry_run,
        as_json: which.json,
    };
    super::bulk::run(context, jobs, order).await
}

fn done(context: &Context, id: &JobId, as_json: bool, what: &str) -> Result<(), CliError> {
    if as_json {
        return Ok(context.output.json(&json!({ "id": id.as_str() }))?);
    }
    Ok(context.output.line(format!("{id} {what}"))?)
}

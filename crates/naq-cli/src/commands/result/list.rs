//! `naq result list`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq::{Jobs, Outcome, ResultFilter, Status};
use serde_json::json;

use crate::context::Context;
use crate::duration::{parse_positive, rough};
use crate::error::CliError;
use crate::output::{Table, latency};

/// Most that one request brings.
const PAGE: usize = 1000;

/// List the outcomes of jobs, the oldest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: FilterFlags,

    /// List at most so many
    #[arg(short = 'n', long, value_name = "N", default_value = "100")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Print JSON: `{"results": [...], "more": bool}`
    #[arg(long)]
    json: bool,
}

/// Which outcomes are meant.
#[derive(Debug, clap::Args)]
pub(super) struct FilterFlags {
    /// Only those that ended so
    #[arg(short, long)]
    status: Option<Ended>,

    /// Only those of this kind
    #[arg(short, long)]
    kind: Option<String>,

    /// Only those of this queue
    #[arg(short, long)]
    queue: Option<String>,

    /// Only those that ended at least so long ago
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    older_than: Option<Duration>,

    /// Only those that ended at most so long ago
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    newer_than: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ended {
    Completed,
    Failed,
    Cancelled,
}

impl FilterFlags {
    pub(super) fn filter(self) -> ResultFilter {
        ResultFilter {
            status: self.status.map(|status| match status {
                Ended::Completed => Status::Completed,
                Ended::Failed => Status::Failed,
                Ended::Cancelled => Status::Cancelled,
            }),
            kind: self.kind,
            queue: self.queue,
            older_than: self.older_than,
            newer_than: self.newer_than,
        }
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    let (filter, limit) = (
        args.filter.filter(),
        usize::try_from(args.limit).unwrap_or(usize::MAX),
    );
    let read = async |jobs: &Jobs| {
        let results = jobs.results();
        let (mut found, mut next) = (Vec::new(), Some(0));
        while let Some(from) = next.filter(|_| found.len() < limit) {
            let most = (limit - found.len()).min(PAGE);
            let page = results.search(&filter, from, most).await?;
            found.extend(page.outcomes);
            next = page.next;
        }
        Ok((found, next))
    };
    let (found, next) = context.with_jobs(read).await?;
    let (out, more) = (&context.output, next.is_some());
    if args.json {
        return Ok(out.json(&json!({ "results": found, "more": more }))?);
    }
    if found.is_empty() {
        out.note("no results");
        return Ok(());
    }
    let mut table = Table::new(&["ID", "KIND", "QUEUE", "STATUS", "ATTEMPT", "TOOK", "ENDED"]);
    for outcome in &found {
        table.row(row(outcome));
    }
    out.table(table)?;
    if more {
        out.note(format!("... and more: --limit is {}", args.limit));
    }
    Ok(())
}

fn row(outcome: &Outcome) -> [String; 7] {
    let ended = UNIX_EPOCH + Duration::from_millis(outcome.finished_at_ms);
    let ago = SystemTime::now().duration_since(ended).unwrap_or_default();
    [
        outcome.id.clone(),
        outcome.kind.clone().unwrap_or_else(|| "?".to_owned()),
        outcome.queue.clone(),
        outcome.status.to_string(),
        outcome.attempt.to_string(),
        latency(outcome.duration()),
        format!("{} ago", rough(ago)),
    ]
}

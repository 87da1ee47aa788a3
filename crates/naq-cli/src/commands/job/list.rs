//! `naq job list`.

use naq::{Jobs, ListedJob, PendingState, QueueName};
use serde_json::{Value, json};

use super::describe::{ms, parked_text, until};
use crate::context::Context;
use crate::duration::rough;
use crate::error::CliError;
use crate::output::Table;

/// Most that one request brings.
const PAGE: usize = 1000;

/// List the jobs that have not ended, the oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Jobs that have ended: `naq result list` and `naq dead list`.")]
pub(super) struct Args {
    /// Only those of this queue
    #[arg(short, long)]
    queue: Option<QueueName>,

    /// Only those that wait or run, those that are due later, or those that were put aside
    #[arg(short, long, value_name = "STATE", default_value = "all")]
    state: State,

    /// List at most so many
    #[arg(short = 'n', long, value_name = "N", default_value = "100")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Print JSON: `{"jobs": [...], "more": bool}`
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum State {
    /// All that have not ended
    All,
    /// They wait for a worker or have one
    Queued,
    /// They are due later, retries included
    Scheduled,
    /// They were put aside until they are released
    Parked,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let state = match args.state {
        State::All => PendingState::Any,
        State::Queued => PendingState::Queued,
        State::Scheduled => PendingState::Scheduled,
        State::Parked => PendingState::Parked,
    };
    let (mut found, mut next) = (Vec::new(), Some(0));
    while let Some(from) = next.filter(|_| found.len() < limit) {
        let most = (limit - found.len()).min(PAGE);
        let page = jobs
            .pending_jobs(state, args.queue.as_ref(), from, most)
            .await?;
        found.extend(page.jobs);
        next = page.next;
    }
    let out = &context.output;
    if args.json {
        let listed: Vec<Value> = found.iter().map(described).collect();
        return Ok(out.json(&json!({ "jobs": listed, "more": next.is_some() }))?);
    }
    if found.is_empty() {
        out.note("no jobs");
        return Ok(());
    }
    let head = [
        "ID", "KIND", "QUEUE", "STATE", "RETRY", "AGE", "DUE", "BYTES",
    ];
    let mut table = Table::new(&head);
    for job in &found {
        table.row(row(job));
    }
    out.table(table)?;
    if next.is_some() {
        out.note(format!("... and more: --limit is {}", args.limit));
    }
    Ok(())
}

fn row(job: &ListedJob) -> [String; 8] {
    let age = job.stored_at.and_then(|at| at.elapsed().ok());
    let why = || Some(parked_text(job.why.as_deref()?).to_owned());
    let due = job.due.map(until).or_else(why);
    [
        job.id.to_string(),
        job.kind.clone().unwrap_or_else(|| "?".to_owned()),
        job.queue.to_string(),
        word(job.state).to_owned(),
        job.retries_done.to_string(),
        age.map_or_else(|| "?".to_owned(), rough),
        due.unwrap_or_else(|| "-".to_owned()),
        job.size.to_string(),
    ]
}

/// The state, as the flag names it.
fn word(state: PendingState) -> &'static str {
    match state {
        PendingState::Queued => "queued",
        PendingState::Scheduled => "scheduled",
        PendingState::Parked => "parked",
        PendingState::Any => "all",
    }
}

fn described(job: &ListedJob) -> Value {
    json!({
        "id": job.id.as_str(),
        "kind": job.kind,
        "queue": job.queue.as_str(),
        "state": word(job.state),
        "retries_done": job.retries_done,
        "stored_at_ms": job.stored_at.and_then(ms),
        "due_ms": job.due.and_then(ms),
        "why": job.why,
        "bytes": job.size,
    })
}

//! `naq kind pause`, `resume`, `limit` and `list`.

use naq::{Jobs, KindName};
use serde_json::json;

use crate::commands::operator::{Reason, controls};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;

/// Let the jobs of a kind wait; those that run go on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  naq kind pause invoice.send --reason 'the API is down'")]
pub(super) struct PauseArgs {
    /// The kind
    kind: KindName,

    #[command(flatten)]
    reason: Reason,

    /// Print JSON: what is set for the kind
    #[arg(long)]
    json: bool,
}

/// Let the jobs of a kind run again, and print how many had been waiting
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// The kind
    kind: KindName,

    /// Print JSON: `{"kind", "released"}`
    #[arg(long)]
    json: bool,
}

/// Limit how many jobs of a kind run at the same time, over all workers and queues
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Jobs that have to wait hold no slot and lose no attempt. Those that run go on.\n\nExamples:\n  \
                  naq kind limit invoice.render --running 4\n  naq kind limit invoice.render --running 0   # no limit"
)]
pub(super) struct LimitArgs {
    /// The kind
    kind: KindName,

    /// Jobs that may run at the same time; 0: no limit
    #[arg(long, value_name = "N")]
    running: u32,

    /// Print JSON: what is set for the kind
    #[arg(long)]
    json: bool,
}

/// List the kinds that are paused or limited
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Print JSON: `{"kinds": [...]}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn pause(context: &Context, jobs: &Jobs, args: PauseArgs) -> Result<(), CliError> {
    let kind = &args.kind;
    let set = controls(jobs)
        .pause_kind(kind, args.reason.reason.as_deref())
        .await?;
    if args.json {
        return Ok(context.output.json(&json!(set))?);
    }
    let line = format!("{kind} is paused; `naq kind resume {kind}` ends it");
    Ok(context.output.line(line)?)
}

pub(super) async fn resume(
    context: &Context,
    jobs: &Jobs,
    args: ResumeArgs,
) -> Result<(), CliError> {
    let kind = &args.kind;
    let released = controls(jobs).resume_kind(kind).await?;
    if args.json {
        let value = json!({ "kind": kind.as_str(), "released": released });
        return Ok(context.output.json(&value)?);
    }
    // Workers release some themselves, so this is how many were released here.
    Ok(context
        .output
        .line(format!("{kind} is not paused; {released} jobs released"))?)
}

pub(super) async fn limit(context: &Context, jobs: &Jobs, args: LimitArgs) -> Result<(), CliError> {
    let kind = &args.kind;
    let set = controls(jobs).limit_kind(kind, Some(args.running)).await?;
    if args.json {
        return Ok(context.output.json(&json!(set))?);
    }
    let line = match set.max_running {
        Some(limit) => format!("{limit} jobs of {kind} run at the same time, over all workers"),
        None => format!("{kind} has no limit"),
    };
    Ok(context.output.line(line)?)
}

pub(super) async fn list(context: &Context, jobs: &Jobs, args: ListArgs) -> Result<(), CliError> {
    let mut kinds = jobs.controls().kinds().await?;
    kinds.retain(|kind| kind.paused.is_some() || kind.max_running.is_some());
    kinds.sort_by(|a, b| a.kind.cmp(&b.kind));
    if args.json {
        return Ok(context.output.json(&json!({ "kinds": kinds }))?);
    }
    if kinds.is_empty() {
        context.output.note("no kind is paused or limited");
        return Ok(());
    }
    let mut table = Table::new(&["KIND", "RUNNING", "PAUSED", "BY", "REASON"]);
    for kind in &kinds {
        let paused = kind.paused.as_ref();
        let text = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
        table.row([
            kind.kind.clone(),
            kind.max_running
                .map_or_else(|| "-".to_owned(), |most| format!("<= {most}")),
            if paused.is_some() { "yes" } else { "-" }.to_owned(),
            text(paused.and_then(|paused| paused.by.as_ref())),
            text(paused.and_then(|paused| paused.reason.as_ref())),
        ]);
    }
    Ok(context.output.table(table)?)
}

//! `naq workflow submit`.

use std::time::Duration;

use naq::{JobId, Jobs};
use serde_json::json;

use super::file;
use crate::commands::outcome;
use crate::commands::payload::read_text;
use crate::commands::result::FOR_EVER;
use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;

/// Submit a workflow that a file describes, YAML or JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "Example of a file:
  name: etl
  deadline: 2h
  nodes:
    - {name: orders, kind: extract, payload: {table: orders}, retries: 3}
    - {name: customers, kind: extract, payload: {table: customers}}
    - {name: approved, wait: 1h, after: [orders, customers]}
    - {name: load, kind: load, queue: slow, timeout: 10m, after: [approved]}
    - {name: alert, kind: mail, payload: {to: ops}, after_failure: [load]}
    - {name: clean-up, kind: clean, after_end: [load], may_fail: true}

A node has one of kind (a job), wait (true, or how long), gate and existing (the id of a job).

Examples:
  naq workflow submit etl.yaml
  naq workflow submit etl.yaml --id etl-2026-11-22 --wait --timeout 10m
  generate | naq workflow submit -")]
pub(super) struct Args {
    /// The file; `-` reads standard input
    file: String,

    /// The workflow's id: a second submission of the same id is refused [default: its name and a new ULID]
    #[arg(long)]
    id: Option<JobId>,

    /// Wait until it is over
    #[arg(short, long)]
    wait: bool,

    /// How long to wait [default: for ever]
    #[arg(short, long, value_name = "TIME", value_parser = parse_positive, requires = "wait")]
    timeout: Option<Duration>,

    /// Print JSON: `{"id": ...}`, or the outcome with --wait
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let text = read_text(&args.file).await?;
    let mut workflow = file::read(&args.file, &text)?;
    if let Some(id) = args.id {
        workflow = workflow.id(id);
    }
    let handle = jobs.submit(workflow).await?;
    if args.wait {
        context.output.note(format!("submitted {}", handle.id()));
        let over = handle.wait(args.timeout.unwrap_or(FOR_EVER)).await?;
        return outcome::show(context, &over, args.json);
    }
    if args.json {
        return Ok(context
            .output
            .json(&json!({ "id": handle.id().as_str() }))?);
    }
    Ok(context.output.line(handle.id().as_str())?)
}

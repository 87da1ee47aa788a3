//! `naq dead show`.

use naq::{JobId, Jobs};
use serde_json::{Value, json};

use super::list::{age, described};
use super::not_there;
use crate::commands::body;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;

/// Show one dead letter: payload, headers, and the error with its causes
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The job's id
    id: JobId,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let letters = jobs.dead_letters();
    let letter = letters
        .find(&args.id)
        .await?
        .ok_or_else(|| not_there(&args.id))?;
    let outcome = jobs.results().find(&args.id).await?;
    let payload = async { letters.payload(&letter).await.map(Some) };
    let body = body::shown(&letter.body, payload).await;
    let out = &context.output;
    if args.json {
        let mut value = described(&letter);
        value["body"] = body;
        value["headers"] = json!(letter.sender_headers());
        value["outcome"] = json!(outcome);
        return Ok(out.json(&value)?);
    }
    let mut table = Table::headless();
    table.row(["id", letter.id.as_str()]);
    table.row(["kind", letter.kind.as_deref().unwrap_or("?")]);
    table.row(["queue", letter.queue.as_str()]);
    table.row(["reason", &letter.reason]);
    table.row(["attempt", &letter.attempt.to_string()]);
    table.row(["age", &age(&letter)]);
    table.row(["group", &letter.fingerprint()]);
    for (name, value) in letter.sender_headers() {
        table.row([format!("header {name}"), value]);
    }
    out.table(table)?;
    let failure = outcome.and_then(|outcome| outcome.error);
    let error = failure.map_or_else(|| letter.error.clone(), |failure| failure.traceback());
    out.line(format!("\nerror:\n{error}"))?;
    let body = match body {
        Value::String(text) => text,
        value => serde_json::to_string_pretty(&value).unwrap_or_default(),
    };
    Ok(out.line(format!("\njob:\n{body}"))?)
}

//! `naq dead list`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq::{DeadFilter, DeadLetter, Jobs};
use serde_json::{Value, json};

use super::filter_flags::FilterFlags;
use crate::context::Context;
use crate::duration::rough;
use crate::error::CliError;
use crate::output::Table;

/// Most that one request brings.
const PAGE: usize = 1000;

/// List the dead letters, the oldest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: FilterFlags,

    /// List at most so many
    #[arg(short = 'n', long, value_name = "N", default_value = "100")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Print JSON: `{"dead_letters": [...], "more": bool}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let (letters, more) = read(jobs, &args.filter.filter(), limit).await?;
    let out = &context.output;
    if args.json {
        let letters: Vec<Value> = letters.iter().map(described).collect();
        return Ok(out.json(&json!({ "dead_letters": letters, "more": more }))?);
    }
    if letters.is_empty() {
        out.note("no dead letters");
        return Ok(());
    }
    let mut table = Table::new(&["ID", "KIND", "QUEUE", "REASON", "ERROR", "AGE"]);
    for letter in &letters {
        table.row([
            letter.id.as_str(),
            letter.kind.as_deref().unwrap_or("?"),
            letter.queue.as_str(),
            &letter.reason,
            &one_line(&letter.error),
            &age(letter),
        ]);
    }
    out.table(table)?;
    if more {
        out.note(format!("... and more: --limit is {}", args.limit));
    }
    Ok(())
}

/// At most `limit` dead letters, and whether there are more.
async fn read(
    jobs: &Jobs,
    filter: &DeadFilter,
    limit: usize,
) -> Result<(Vec<DeadLetter>, bool), CliError> {
    let (mut letters, mut from) = (Vec::new(), 0);
    // One more than wanted tells whether there are more.
    while letters.len() <= limit {
        let page = jobs
            .dead_letters()
            .search(filter, from, (limit - letters.len() + 1).min(PAGE))
            .await?;
        letters.extend(page.letters);
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    let more = letters.len() > limit;
    letters.truncate(limit);
    Ok((letters, more))
}

/// What is known of it, without its payload.
pub(super) fn described(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id.as_str(),
        "kind": letter.kind,
        "queue": letter.queue.as_str(),
        "reason": letter.reason,
        "error": letter.error,
        "group": letter.fingerprint(),
        "attempt": letter.attempt,
        "dead_at_ms": letter.dead_at_ms,
    })
}

pub(super) fn age(letter: &DeadLetter) -> String {
    let dead_at = UNIX_EPOCH + Duration::from_millis(letter.dead_at_ms);
    rough(
        SystemTime::now()
            .duration_since(dead_at)
            .unwrap_or_default(),
    )
}

fn one_line(text: &str) -> String {
    const LONGEST: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

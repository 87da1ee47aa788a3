//! `naq dead groups`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq::{DeadGroup, Jobs};
use serde_json::{Value, json};

use super::filter_flags::FilterFlags;
use crate::context::Context;
use crate::duration::rough;
use crate::error::CliError;
use crate::output::{Table, grouped};

/// Group the dead letters by what they died of, the largest group first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A group is the reason, the kind, and the error without what differs: numbers, ids, quoted parts.

Examples:
  naq dead groups --newer-than 1h
  naq dead retry --all --group 5f2a9c --dry-run")]
pub(super) struct Args {
    #[command(flatten)]
    filter: FilterFlags,

    /// Print JSON: `{"groups": [...], "letters", "ungrouped"}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let found = jobs.dead_letters().groups(&args.filter.filter()).await?;
    let out = &context.output;
    if args.json {
        let groups: Vec<Value> = found.groups.iter().map(described).collect();
        return Ok(out.json(&json!({
            "groups": groups, "letters": found.letters, "ungrouped": found.ungrouped,
        }))?);
    }
    if found.groups.is_empty() {
        out.note("no dead letters");
        return Ok(());
    }
    let mut table = Table::new(&["GROUP", "COUNT", "KIND", "REASON", "LAST", "FIRST", "ERROR"]);
    for group in &found.groups {
        table.row([
            group.fingerprint.clone(),
            grouped(group.count),
            group.kind.clone().unwrap_or_else(|| "?".to_owned()),
            group.reason.clone(),
            age(group.last_ms),
            age(group.first_ms),
            group.error.clone(),
        ]);
    }
    out.table(table)?;
    if found.ungrouped > 0 {
        out.note(format!(
            "... and {} of rarer errors",
            grouped(found.ungrouped)
        ));
    }
    Ok(())
}

fn described(group: &DeadGroup) -> Value {
    json!({
        "group": group.fingerprint,
        "count": group.count,
        "kind": group.kind,
        "reason": group.reason,
        "error": group.error,
        "first_ms": group.first_ms,
        "last_ms": group.last_ms,
        "sample": { "id": group.sample.0.as_str(), "error": group.sample.1 },
    })
}

fn age(ms: u64) -> String {
    let at = UNIX_EPOCH + Duration::from_millis(ms);
    rough(SystemTime::now().duration_since(at).unwrap_or_default())
}

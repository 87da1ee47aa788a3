//! `naq config show`: every key with its value.

use naq::config::Origin;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;

/// Show every key with its value after files, profile, environment and flags; secrets are hidden
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show where each value comes from: file with line and column, variable, profile, flag, or default
    #[arg(long, alias = "sources")]
    origin: bool,

    /// Show only what differs from the defaults
    #[arg(long)]
    changed: bool,

    /// Print JSON: `{"settings": [{"key": ..., "value": ..., "origin": ...}]}`
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let loaded = context.loaded()?;
    let mut shown = loaded.show();
    if args.changed {
        shown.retain(|row| !matches!(row.origin, Origin::Default));
    }
    let out = &context.output;
    if args.json {
        let row = |key: &str, value: &str, origin: &Origin| json!({ "key": key, "value": value, "origin": origin.to_string() });
        let rows: Vec<Value> = shown
            .iter()
            .map(|s| row(&s.key, &s.value, s.origin))
            .collect();
        return Ok(out.json(&json!({ "settings": rows }))?);
    }
    let mut head = vec!["KEY", "VALUE"];
    if args.origin {
        head.push("FROM");
    }
    let mut table = Table::new(&head);
    for row in &shown {
        let mut cells = vec![row.key.clone(), row.value.clone()];
        if args.origin {
            cells.push(row.origin.to_string());
        }
        table.row(cells);
    }
    Ok(out.table(table)?)
}

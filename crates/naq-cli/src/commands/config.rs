//! `naq config`: what the configuration says, and where each value comes from.

use clap::Subcommand;
use naq::config::{Loaded, Origin};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;

/// Show the configuration, or check it
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Show(ShowArgs),
    Validate(ValidateArgs),
}

/// Show every key with its value after files, profile, environment and flags; secrets are hidden
#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Show where each value comes from: file with line and column, variable, profile, flag, or default
    #[arg(long)]
    origin: bool,

    /// Show only what differs from the defaults
    #[arg(long)]
    changed: bool,

    /// Print JSON: `{"settings": [{"key": ..., "value": ..., "origin": ...}]}`
    #[arg(long)]
    json: bool,
}

/// Check the configuration; all problems are told at once, and the exit code is 3 if there is one
#[derive(Debug, clap::Args)]
struct ValidateArgs {}

pub(crate) fn run(context: &Context, args: Args) -> Result<(), CliError> {
    match args.verb {
        Verb::Show(args) => show(context, &args),
        Verb::Validate(_) => validate(context),
    }
}

fn show(context: &Context, args: &ShowArgs) -> Result<(), CliError> {
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
    if args.origin {
        let mut table = Table::new(&["KEY", "VALUE", "FROM"]);
        for row in &shown {
            table.row([row.key.clone(), row.value.clone(), row.origin.to_string()]);
        }
        return Ok(out.table(table)?);
    }
    let mut table = Table::new(&["KEY", "VALUE"]);
    for row in &shown {
        table.row([row.key.clone(), row.value.clone()]);
    }
    Ok(out.table(table)?)
}

fn validate(context: &Context) -> Result<(), CliError> {
    let loaded = context.loaded()?;
    let out = &context.output;
    out.note(format!("the configuration is valid; {}", sources(&loaded)));
    for variable in &loaded.unknown_variables {
        out.note(format!("the variable {variable} has no meaning here"));
    }
    Ok(())
}

fn sources(loaded: &Loaded) -> String {
    let files: Vec<String> = loaded
        .files
        .iter()
        .map(|f| f.display().to_string())
        .collect();
    let files = match files.is_empty() {
        true => "no file was found".to_owned(),
        false => format!("read from {}", files.join(", ")),
    };
    match &loaded.profile {
        Some(profile) => format!("{files}, profile {profile}"),
        None => files,
    }
}

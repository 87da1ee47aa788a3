//! `naq config validate`: all problems at once.

use std::path::{Path, PathBuf};

use naq::config::{Loaded, Origin, Place, Problem};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Check the configuration; all problems are told at once, and the exit code is 3 if there is one
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Check this file instead of those that are found (the environment counts all the same)
    file: Option<PathBuf>,

    /// Print JSON: `{"valid": ..., "files": [...], "profile": ..., "unknown_variables": [...],
    /// "problems": [{"key": ..., "message": ..., "origin": ..., "file": ..., "line": ..., "column": ...}]}`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let file = args.file.as_deref();
    let out = &context.output;
    match context.loaded_from(file) {
        Ok(loaded) if args.json => Ok(out.json(&valid(&loaded))?),
        Ok(loaded) => {
            out.note(format!("the configuration is valid; {}", sources(&loaded)));
            for variable in &loaded.unknown_variables {
                out.note(format!("the variable {variable} has no meaning here"));
            }
            Ok(())
        }
        Err(error) if args.json => {
            let problems: Vec<Value> = error.problems().iter().map(row).collect();
            out.json(&json!({ "valid": false, "problems": problems }))?;
            Err(CliError::silent(exit_code::CONFIGURATION))
        }
        Err(error) => Err(error.into()),
    }
}

fn valid(loaded: &Loaded) -> Value {
    json!({
        "valid": true,
        "files": loaded.files,
        "profile": loaded.profile,
        "unknown_variables": loaded.unknown_variables,
        "problems": [],
    })
}

fn row(problem: &Problem) -> Value {
    let (file, place) = position(&problem.origin);
    json!({
        "key": problem.key,
        "message": problem.message,
        "origin": problem.origin.to_string(),
        "file": file,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}

fn position(origin: &Origin) -> (Option<&Path>, Option<Place>) {
    match origin {
        Origin::File { path, place } => (Some(path), *place),
        Origin::Profile {
            at: Some((path, place)),
            ..
        } => (Some(path), Some(*place)),
        _ => (None, None),
    }
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

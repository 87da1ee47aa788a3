//! `naq config validate`: all problems at once.

use std::path::{Path, PathBuf};

use naq::config::{Loaded, Origin, Place, Problem, advice_for_variable};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::{exit_code, logging};

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

impl Args {
    /// For the files that are found.
    pub(super) fn of_all_files(json: bool) -> Self {
        Self { file: None, json }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let file = args.file.as_deref();
    let out = &context.output;
    match context.loaded_from(file) {
        Ok(loaded) if args.json => Ok(out.json(&valid(&loaded))?),
        Ok(loaded) => {
            out.note(format!("the configuration is valid; {}", sources(&loaded)));
            for variable in meaningless(&loaded) {
                let advice = advice_for_variable(variable).map(|advice| format!(": {advice}"));
                let advice = advice.unwrap_or_default();
                out.note(format!(
                    "the variable {variable} has no meaning here{advice}"
                ));
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

/// The variables that set nothing; one is read by this command itself.
fn meaningless(loaded: &Loaded) -> Vec<&str> {
    let names = loaded.unknown_variables.iter().map(String::as_str);
    names.filter(|name| *name != logging::VARIABLE).collect()
}

fn valid(loaded: &Loaded) -> Value {
    json!({
        "valid": true,
        "files": loaded.files,
        "profile": loaded.profile,
        "unknown_variables": meaningless(loaded),
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

//! `naq dead edit`: another payload for a dead letter.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use naq::{DeadLetter, DeadLetters, JobId, Jobs};
use serde_json::json;
use serde_json::value::RawValue;

use super::not_there;
use crate::commands::payload;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Give a dead job another payload; all else of it stays
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a payload the present one is opened in $VISUAL or $EDITOR.

Examples:
  naq dead edit invoice-17
  naq dead edit invoice-17 '{\"to\": \"ada@example.org\"}' --retry
  naq dead edit invoice-17 @corrected.json")]
pub(super) struct Args {
    /// The job's id
    id: JobId,

    /// The new payload: JSON, `-` for standard input, `@FILE` for a file
    payload: Option<String>,

    /// Put the job back into its queue afterwards
    #[arg(long)]
    retry: bool,

    /// Print JSON: `{"id", "changed", "retried"}`
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let letters = jobs.dead_letters();
    let letter = letters.find(&args.id).await?;
    let letter = letter.ok_or_else(|| not_there(&args.id))?;
    let payload = match args.payload {
        Some(text) => Some(payload::read(text).await?),
        None => edited(&letters, &letter).await?,
    };
    let changed = payload.is_some();
    if let Some(payload) = payload {
        letters.edit_letter(&letter, &payload).await?;
    }
    if args.retry {
        letters.requeue(&args.id).await?;
    }
    if args.json {
        let said = json!({ "id": args.id.as_str(), "changed": changed, "retried": args.retry });
        return Ok(context.output.json(&said)?);
    }
    let what = match (changed, args.retry) {
        (true, true) => "has another payload and is back in its queue",
        (true, false) => "has another payload; `naq dead retry` runs it",
        (false, true) => "is as it was, and back in its queue",
        (false, false) => "is as it was",
    };
    Ok(context.output.line(format!("{} {what}", args.id))?)
}

/// What the editor makes of the payload; `None` if it is left as it is.
async fn edited(
    letters: &DeadLetters,
    letter: &DeadLetter,
) -> Result<Option<Box<RawValue>>, CliError> {
    let before = shown(&letters.payload(letter).await?);
    let editor = editor().ok_or_else(|| {
        CliError::usage("no editor is set")
            .hint("set $EDITOR, or give the payload: JSON, `-`, or `@FILE`")
    })?;
    let failed = |error: &(dyn std::error::Error + 'static)| {
        CliError::new(exit_code::INTERNAL, "failed to edit the payload").because(error)
    };
    let mut file = tempfile::Builder::new()
        .prefix(&format!("naq-{}-", letter.id))
        .suffix(".json")
        .tempfile()
        .map_err(|error| failed(&error))?;
    file.write_all(before.as_bytes())
        .map_err(|error| failed(&error))?;
    let path = file.path().to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&editor, &path)).await;
    opened.map_err(|error| failed(&error))??;
    let after = std::fs::read_to_string(file.path()).map_err(|error| failed(&error))?;
    if after.trim() == before.trim() {
        return Ok(None);
    }
    match serde_json::from_str(&after) {
        Ok(payload) => Ok(Some(payload)),
        Err(error) => {
            // What was typed is not thrown away.
            let kept = file.keep().map(|(_, path)| path.display().to_string());
            let kept = kept.unwrap_or_else(|_| "nowhere".to_owned());
            let failed = CliError::usage(format!("the new payload is not JSON: {error}"));
            let hint = format!(
                "it is kept: correct it, and `naq dead edit {} @{kept}`",
                letter.id
            );
            Err(failed.hint(hint))
        }
    }
}

/// A payload, laid out for people.
fn shown(payload: &RawValue) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(payload.get()).ok();
    let text = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
    let mut text = text.unwrap_or_else(|| payload.get().to_owned());
    text.push('\n');
    text
}

fn editor() -> Option<OsString> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("VISUAL").or_else(|| set("EDITOR"))
}

/// Waits until the editor ends. It may have arguments, so the shell starts it.
fn open(editor: &OsString, path: &Path) -> Result<(), CliError> {
    let mut script = editor.clone();
    script.push(" \"$1\"");
    let status = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg("sh")
        .arg(path)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CliError::usage(format!("the editor ended with {status}"))
            .hint("the dead letter is as it was")),
        Err(error) => Err(CliError::usage("failed to start the editor").because(&error)),
    }
}

//! How the outcome of a job is shown, and what exit code it means.

use naq::{Outcome, Status};

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Shows the result, or the whole outcome as JSON; a failed or cancelled job is an error.
pub(super) fn show(context: &Context, outcome: &Outcome, as_json: bool) -> Result<(), CliError> {
    let out = &context.output;
    if as_json {
        out.json(outcome)?;
    }
    match (&outcome.error, &outcome.result) {
        (Some(reason), _) if outcome.status == Status::Cancelled => {
            let message = format!("job {} was cancelled ({reason})", outcome.id);
            Err(CliError::new(exit_code::JOB_FAILED, message))
        }
        (Some(failure), _) => {
            let message = format!(
                "job {} failed in attempt {} ({}):\n{}",
                outcome.id,
                outcome.attempt,
                failure.reason,
                indented(&failure.traceback())
            );
            let hint = format!(
                "`naq dead show {0}` shows its payload, `naq dead retry {0}` runs it again",
                outcome.id
            );
            Err(CliError::new(exit_code::JOB_FAILED, message).hint(hint))
        }
        (None, _) if as_json => Ok(()),
        (None, Some(result)) if !out.is_terminal() => Ok(out.line(result.get())?),
        (None, Some(result)) => {
            // For people it is laid out anew; what cannot be is shown as it is.
            match serde_json::from_str::<serde_json::Value>(result.get()) {
                Ok(value) => Ok(out.json(&value)?),
                Err(_) => Ok(out.line(result.get())?),
            }
        }
        (None, None) => Ok(out.line("null")?),
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines.join("\n")
}

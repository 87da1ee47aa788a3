//! The payload of a job: from the command line, standard input, or a file.

use std::io::Read;

use serde_json::value::RawValue;

use crate::error::CliError;

/// The JSON that `text` means: itself, `-` for standard input, `@FILE` for a file.
pub(super) async fn read(text: String) -> Result<Box<RawValue>, CliError> {
    let (from, json) = match text.strip_prefix('@') {
        Some(path) => (path.to_owned(), from_file(path)?),
        None if text == "-" => ("standard input".to_owned(), from_stdin().await?),
        None => ("the payload".to_owned(), text),
    };
    parse(&from, &json)
}

/// The text of a file; `-` reads standard input.
pub(super) async fn read_text(path: &str) -> Result<String, CliError> {
    match path {
        "-" => from_stdin().await,
        _ => from_file(path),
    }
}

fn from_file(path: &str) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("failed to read {path}")).because(&error))
}

/// On a thread of its own: this read may wait for ever.
async fn from_stdin() -> Result<String, CliError> {
    let failed = || CliError::usage("failed to read the payload from standard input");
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map(|_| text)
    });
    match read.await {
        Ok(text) => text.map_err(|error| failed().because(&error)),
        Err(error) => Err(failed().because(&error)),
    }
}

fn parse(from: &str, json: &str) -> Result<Box<RawValue>, CliError> {
    if json.trim().is_empty() {
        return Err(CliError::usage(format!("{from} is empty")).hint(HINT));
    }
    serde_json::from_str(json).map_err(|error| {
        let line = json
            .lines()
            .nth(error.line().saturating_sub(1))
            .unwrap_or("");
        let mut failed = CliError::usage(format!("{from} is not JSON: {error}"));
        if line.chars().count() <= 120 {
            let spaces = " ".repeat(error.column().saturating_sub(1));
            failed = CliError::usage(format!(
                "{from} is not JSON: {error}\n  {line}\n  {spaces}^"
            ));
        }
        failed.hint(HINT)
    })
}

const HINT: &str = "write it like '{\"to\": \"Ada\"}', 42, or '\"a text\"' (mind the quotes of the shell); \
                    `-` reads standard input, `@FILE` a file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_mistake_is_shown() {
        let error = parse("the payload", r#"{"to": Ada}"#).unwrap_err();
        let message = error.message.unwrap();
        assert!(message.contains("line 1 column 8"), "{message}");
        assert!(
            message.ends_with("\n  {\"to\": Ada}\n         ^"),
            "{message}"
        );
    }

    #[test]
    fn nothing_is_not_json() {
        assert!(parse("standard input", " \n").is_err());
    }
}

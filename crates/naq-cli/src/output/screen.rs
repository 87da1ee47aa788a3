//! The two streams.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use serde_json::json;

use super::{ColorChoice, Style, Table, harmless};
use crate::error::CliError;

/// The two streams of the process, and what they can show.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    colors_out: bool,
    colors_err: bool,
    out_is_terminal: bool,
    err_is_terminal: bool,
}

impl Output {
    pub(crate) fn new(color: ColorChoice) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        Self {
            colors_out: color.applies_to(&out),
            colors_err: color.applies_to(&err),
            out_is_terminal: out.is_terminal(),
            err_is_terminal: err.is_terminal(),
        }
    }

    /// Data, with a new line at its end; a terminal obeys nothing in it.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> io::Result<()> {
        let text = match self.out_is_terminal {
            true => harmless(text.as_ref()),
            false => text.as_ref().into(),
        };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Data, byte for byte.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// One JSON value: for people if they look at it, else on one line.
    pub(crate) fn json(&self, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        let text = if self.out_is_terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.line(text.map_err(io::Error::other)?)
    }

    /// A table, as wide as the terminal at the most.
    pub(crate) fn table(&self, table: Table) -> io::Result<()> {
        self.line(table.render(self.out_is_terminal))
    }

    /// Something worth knowing that is no data. A standard error that is gone is no failure.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let text = match self.err_is_terminal {
            true => harmless(text.as_ref()),
            false => text.as_ref().into(),
        };
        let _ignored = writeln!(io::stderr().lock(), "{text}");
    }

    /// Why the command has failed, and what to do: in words, or as one JSON object on one line.
    pub(crate) fn error(&self, error: &CliError, as_json: bool) {
        let Some(message) = &error.message else {
            return;
        };
        if as_json {
            let said = json!({
                "code": error.code, "message": message, "causes": error.causes, "hint": error.hint,
            });
            return self.note(json!({ "error": said }).to_string());
        }
        self.note(format!(
            "{} {message}",
            self.styled_err(Style::Bad, "error:")
        ));
        for cause in &error.causes {
            self.note(format!("  caused by: {cause}"));
        }
        if let Some(hint) = &error.hint {
            self.note(format!(
                "{} {hint}",
                self.styled_err(Style::Bold, "what to do:")
            ));
        }
    }

    /// `text` for standard output, in a style if it shows any.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        if self.colors_out {
            style.paint(text)
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn styled_err(&self, style: Style, text: &str) -> String {
        if self.colors_err {
            style.paint(text)
        } else {
            text.to_owned()
        }
    }

    /// Whether standard output shows colours.
    pub(crate) fn has_colors(&self) -> bool {
        self.colors_out
    }

    /// Whether a person looks at standard output.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Whether a person looks at standard error.
    pub(crate) fn err_is_terminal(&self) -> bool {
        self.err_is_terminal
    }

    pub(crate) fn err_has_colors(&self) -> bool {
        self.colors_err
    }
}

//! Colours, where somebody can see them.

use std::io::IsTerminal;

use clap::ValueEnum;

/// The flag `--color`. `Auto`: on a terminal, unless `NO_COLOR` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// A way of standing out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Good,
    Notable,
    Bad,
    Faint,
}

impl ColorChoice {
    /// Whether `stream` gets colours.
    pub(super) fn applies_to(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => stream.is_terminal() && wanted_by_environment(),
        }
    }
}

impl Style {
    /// `text` in this style.
    pub(super) fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Bold => "1",
            Self::Good => "32",
            Self::Notable => "33",
            Self::Bad => "1;31",
            Self::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// See no-color.org; `TERM=dumb` cannot show any.
fn wanted_by_environment() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !no_color && !is_dumb
}

//! Log lines, on standard error.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::output::harmless;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    /// Ours at this level; the libraries below only from `warn` on, unless everything is asked for.
    fn filter(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "warn,naq=info",
            Self::Debug => "warn,naq=debug",
            Self::Trace => "trace",
        }
    }
}

/// The variable that says how much is logged, if no flag does.
pub(crate) const VARIABLE: &str = "NAQ_LOG_LEVEL";

/// The level that [`VARIABLE`] asks for, if it does, also by the names that Python has for levels; or what is wrong with it.
pub(crate) fn from_environment() -> Result<Option<Level>, String> {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    let text = text.trim().to_lowercase();
    match text.as_str() {
        "" => Ok(None),
        "warning" => Ok(Some(Level::Warn)),
        "critical" => Ok(Some(Level::Error)),
        text => Level::from_str(text, true).map(Some).map_err(|_unknown| {
            format!("{VARIABLE}: {text:?} is no level; known: off, error, warn, info, debug, trace")
        }),
    }
}

/// For commands that end with the first error: what the connection logs about it is shown as their error.
pub(crate) const ERRORS_ARE_SHOWN: &str = "naq_connection=off,async_nats=off";

/// Starts logging for the rest of the process. `more` are directives for single modules.
pub(crate) fn start(level: Level, more: &str, with_color: bool) {
    let filter = EnvFilter::new(format!("{},{more}", level.filter()));
    let is_terminal = io::stderr().is_terminal();
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Lines { is_terminal })
        .with_ansi(with_color && is_terminal)
        .with_target(level >= Level::Debug)
        .try_init();
    // Only a second start in one process fails, and then the first one serves.
    drop(started);
}

/// Standard error, each write a line.
struct Lines {
    is_terminal: bool,
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut err = io::stderr().lock();
        match std::str::from_utf8(line) {
            // What a job says of its failure is in there.
            Ok(text) if self.is_terminal => err.write_all(harmless(text).as_bytes())?,
            _ => err.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (*self as u8).partial_cmp(&(*other as u8))
    }
}

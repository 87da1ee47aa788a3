//! Log lines, on standard error.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

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

/// For commands that end with the first error: what the connection logs about it is shown as their error.
pub(crate) const ERRORS_ARE_SHOWN: &str = "naq_connection=off,async_nats=off";

/// Starts logging for the rest of the process. `more` are directives for single modules.
pub(crate) fn start(level: Level, more: &str, with_color: bool) {
    let filter = EnvFilter::new(format!("{},{more}", level.filter()));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(with_color && std::io::stderr().is_terminal())
        .with_target(level >= Level::Debug)
        .try_init();
    // Only a second start in one process fails, and then the first one serves.
    drop(started);
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (*self as u8).partial_cmp(&(*other as u8))
    }
}

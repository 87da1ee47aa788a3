//! The `naq` command: demo, dev, worker, enqueue, result, dead letters, configuration, connection.
//!
//! ```text
//!   app ──► commands ──► context ──► error ──► exit_code
//!             │             └──────► output
//!             └──► signals
//! ```
//!
//! Data goes to standard output, everything else to standard error; with `--json` standard output has exactly one
//! JSON object, and an error is one on standard error. Nothing prints by itself: an `Output` is handed down. Exit codes are in [`exit_code`].

mod app;
mod commands;
mod context;
mod duration;
mod error;
pub mod exit_code;
mod logging;
mod output;
mod scrape;
mod signals;
mod traces;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command line, the program's name first. See [`exit_code`] for what comes back.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(app::run(args))
}

//! `naq scheduler start` of the original, whose process looked for what was due.

use crate::error::CliError;
use crate::exit_code;

/// The original's process that looked for what was due
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whatever it is called with, there is nothing to start
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _flags: Vec<String>,
}

pub(super) fn refused() -> CliError {
    let text = "there is no scheduler to start: the server keeps the times";
    CliError::new(exit_code::USAGE, text)
        .hint("any worker makes the jobs that are due: `naq worker`")
}

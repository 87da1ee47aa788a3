//! What the commands share that change something while workers run: who does it, and why.

use naq::{Controls, Jobs};

/// Why, and how the answer is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Reason {
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// The controls, under the name of who uses them.
pub(super) fn controls(jobs: &Jobs) -> Controls {
    let controls = jobs.controls();
    match std::env::var("USER") {
        Ok(user) if !user.is_empty() => controls.by(user),
        _ => controls,
    }
}

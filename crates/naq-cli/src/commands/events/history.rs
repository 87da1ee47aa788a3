//! `naq events history`.

use naq::{JobId, Jobs};

use super::format::{Format, print};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Show what has happened to a job
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The job
    #[arg(value_name = "JOB_ID")]
    job: JobId,

    /// Show at most so many, the last ones
    #[arg(short = 'n', long, value_name = "N", default_value = "50")]
    limit: usize,

    /// How they are printed
    #[arg(short, long, default_value = "table")]
    format: Format,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let history = jobs.events().history(&args.job).await?;
    if history.events.is_empty() {
        let text = format!("there are no events of job {}", args.job);
        let hint = "they come within `events.flush_interval`, are kept for `events.stream.max_age`, and are \
                    not told with `events.enabled: false`";
        return Err(CliError::new(exit_code::NOT_FOUND, text).hint(hint));
    }
    let left_out = history.events.len().saturating_sub(args.limit);
    for event in &history.events[left_out..] {
        print(context, args.format, event)?;
    }
    if left_out > 0 {
        context
            .output
            .note(format!("{left_out} before that: --limit is {}", args.limit));
    }
    if !history.is_complete {
        context
            .output
            .note("there may be more: not all of the time of this job could be looked through");
    }
    Ok(())
}

//! `naq result`: what became of a job.

use std::time::Duration;

use naq::JobId;

use super::outcome;
use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::exit_code;
use crate::logging::{self, Level};

/// Print the result of a job
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The result is JSON on standard output. Exit codes: 5 the job failed or was cancelled,
6 not ended in time, 7 no outcome (it has not ended, has expired, or never was)."
)]
pub(crate) struct Args {
    /// The job's id
    id: JobId,

    /// Wait until the job has ended
    #[arg(short, long)]
    wait: bool,

    /// How long to wait [default: for ever]
    #[arg(short, long, value_name = "TIME", value_parser = parse_positive, requires = "wait")]
    timeout: Option<Duration>,

    /// Print the whole outcome as JSON: status, attempt, worker, times, result or error
    #[arg(long)]
    json: bool,
}

/// As good as for ever.
pub(super) const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    let jobs = context.jobs().await?;
    let results = jobs.results();
    let found = if args.wait {
        Some(
            results
                .wait(&args.id, args.timeout.unwrap_or(FOR_EVER))
                .await?,
        )
    } else {
        results.find(&args.id).await?
    };
    let shown = match &found {
        Some(found) => outcome::show(context, found, args.json),
        None => Err(CliError::new(
            exit_code::NOT_FOUND,
            format!("there is no outcome of job {}", args.id),
        )
        .hint("it has not ended, has expired, or never was; --wait waits for its end")),
    };
    jobs.shutdown().await;
    shown
}

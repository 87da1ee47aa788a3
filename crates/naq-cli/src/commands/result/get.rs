//! `naq result ID`, `naq result show` and `naq result wait`: what became of a job.

use std::time::Duration;

use naq::{JobId, Jobs};

use crate::commands::outcome;
use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::exit_code;

pub(super) const HELP: &str = "\
The result is JSON on standard output. Exit codes: 5 the job failed or was cancelled, 6 not ended in time,
7 no outcome (it has not ended, has expired, or never was).

Examples:
  naq result invoice-17 --wait --timeout 30s
  naq result list --status failed --newer-than 1h
  naq result purge --older-than 7days --dry-run";

/// Which job, and whether to wait.
#[derive(Debug, clap::Args)]
pub(super) struct GetFlags {
    /// The job's id
    #[arg(required = true)]
    id: Option<JobId>,

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

/// Which job.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The job's id
    id: JobId,

    /// Print the whole outcome as JSON: status, attempt, worker, times, result or error
    #[arg(long)]
    json: bool,
}

/// Which job, and how long.
#[derive(Debug, clap::Args)]
pub(super) struct WaitArgs {
    /// The job's id
    id: JobId,

    /// How long to wait [default: for ever]
    #[arg(short, long, value_name = "TIME", value_parser = parse_positive)]
    timeout: Option<Duration>,

    /// Print the whole outcome as JSON: status, attempt, worker, times, result or error
    #[arg(long)]
    json: bool,
}

/// What the three ways of asking come down to.
#[derive(Debug)]
pub(super) struct Asked {
    id: Option<JobId>,
    wait: Option<Duration>,
    json: bool,
}

impl GetFlags {
    pub(super) fn asked(self) -> Asked {
        Asked {
            id: self.id,
            wait: self.wait.then(|| self.timeout.unwrap_or(FOR_EVER)),
            json: self.json,
        }
    }
}

impl ShowArgs {
    pub(super) fn asked(self) -> Asked {
        Asked {
            id: Some(self.id),
            wait: None,
            json: self.json,
        }
    }
}

impl WaitArgs {
    pub(super) fn asked(self) -> Asked {
        Asked {
            id: Some(self.id),
            wait: Some(self.timeout.unwrap_or(FOR_EVER)),
            json: self.json,
        }
    }
}

/// As good as for ever.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

pub(super) async fn run(context: &Context, asked: Asked) -> Result<(), CliError> {
    let Some(id) = asked.id else {
        return Err(CliError::usage("no job is named"));
    };
    let find = async |jobs: &Jobs| {
        let results = jobs.results();
        Ok(match asked.wait {
            Some(within) => Some(results.wait(&id, within).await?),
            None => results.find(&id).await?,
        })
    };
    match context.with_jobs(find).await? {
        Some(found) => outcome::show(context, &found, asked.json),
        None => Err(CliError::new(
            exit_code::NOT_FOUND,
            format!("there is no outcome of job {id}"),
        )
        .hint("it has not ended, has expired, or never was; `naq explain` says which, --wait waits for its end")),
    }
}

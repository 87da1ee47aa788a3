//! The flags that say how a job is run, for all commands that make jobs.

use std::time::Duration;

use naq::Job;

use super::retry_flags::RetryFlags;
use crate::duration::parse_positive;
use crate::error::CliError;

/// How a job is run.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct JobFlags {
    /// The queue [default: `queues.default` of the configuration]
    #[arg(short, long)]
    queue: Option<String>,

    #[command(flatten)]
    retry: RetryFlags,

    /// Time limit of one attempt [default: `workers.max_job_duration`]
    #[arg(short, long, value_name = "TIME", value_parser = parse_positive)]
    timeout: Option<Duration>,

    /// How long the outcome is kept [default: `results.ttl`]
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    result_ttl: Option<Duration>,

    /// Keep no result: the job costs half, and may rarely run twice; a failure is recorded as ever
    #[arg(long, conflicts_with = "result_ttl")]
    discard_result: bool,

    /// The version of the payload, for workers that know several [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    payload_version: Option<u32>,
}

impl JobFlags {
    /// Sets what was asked for.
    pub(super) fn apply(self, job: Job) -> Result<Job, CliError> {
        let mut job = job.retry(self.retry.policy()?);
        if let Some(queue) = self.queue {
            job = job.queue(queue)?;
        }
        if let Some(timeout) = self.timeout {
            job = job.timeout(timeout);
        }
        if let Some(ttl) = self.result_ttl {
            job = job.result_ttl(ttl);
        }
        if self.discard_result {
            job = job.discard_result();
        }
        if let Some(version) = self.payload_version {
            job = job.payload_version(version);
        }
        Ok(job)
    }
}

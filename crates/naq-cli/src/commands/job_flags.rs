//! The flags that say how a job is run, for all commands that make jobs.

use std::time::Duration;

use naq::{Job, Priority};

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

    /// Let only the newest run settle the job: one message more for each run
    #[arg(long, conflicts_with = "discard_result")]
    strict: bool,

    /// The version of the payload, for workers that know several [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    payload_version: Option<u32>,

    /// Which jobs of the queue go first
    #[arg(
        long,
        value_name = "NAME",
        default_value = "normal",
        hide_default_value = true
    )]
    priority: PriorityFlag,

    /// Count it together with others of this key for the limits of the queue that are per key
    #[arg(long, value_name = "TEXT")]
    limit_key: Option<String>,

    /// Cancel it if it has not started after so much time
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    expires_in: Option<Duration>,

    /// Time over all attempts and retries, from when it is due
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    deadline: Option<Duration>,

    /// A header that travels with the job; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    header: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PriorityFlag {
    /// Before all others
    High,
    /// As most jobs
    Normal,
    /// When nothing else waits
    Low,
}

impl From<PriorityFlag> for Priority {
    fn from(flag: PriorityFlag) -> Self {
        match flag {
            PriorityFlag::High => Self::High,
            PriorityFlag::Normal => Self::Normal,
            PriorityFlag::Low => Self::Low,
        }
    }
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
        if self.strict {
            job = job.strict();
        }
        if let Some(version) = self.payload_version {
            job = job.payload_version(version);
        }
        job = job.priority(self.priority.into());
        if let Some(key) = self.limit_key {
            job = job.limit_key(key)?;
        }
        if let Some(after) = self.expires_in {
            job = job.expires_in(after);
        }
        if let Some(within) = self.deadline {
            job = job.deadline(within);
        }
        for (name, value) in self.header {
            job = job.header(name, value)?;
        }
        Ok(job)
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

//! The flags that say how a job is run, for all commands that make jobs.

use std::time::Duration;

use naq::{Backoff, Job, RetryPolicy};

use crate::duration::{parse, parse_positive};
use crate::error::CliError;

/// How a job is run.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct JobFlags {
    /// The queue [default: `queues.default` of the configuration]
    #[arg(short, long)]
    queue: Option<String>,

    /// How often it is run again after an error [default: the number of delays]
    #[arg(short, long, value_name = "N")]
    retries: Option<u32>,

    /// Wait before a retry; several with commas, one for each [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = parse, value_delimiter = ',')]
    retry_delay: Vec<Duration>,

    /// Always the same wait, or twice the wait each time
    #[arg(long, value_name = "NAME", default_value = "linear")]
    retry_strategy: Strategy,

    /// Time limit of one attempt [default: `workers.max_job_duration`]
    #[arg(short, long, value_name = "TIME", value_parser = parse_positive)]
    timeout: Option<Duration>,

    /// How long the outcome is kept [default: `results.ttl`]
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    result_ttl: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Strategy {
    /// Always the same wait
    Linear,
    /// Twice the wait each time
    Exponential,
}

impl JobFlags {
    /// Sets what was asked for.
    pub(super) fn apply(self, job: Job) -> Result<Job, CliError> {
        let retry = retry_policy(self.retries, self.retry_delay, self.retry_strategy)?;
        let mut job = job.retry(retry);
        if let Some(queue) = self.queue {
            job = job.queue(queue)?;
        }
        if let Some(timeout) = self.timeout {
            job = job.timeout(timeout);
        }
        if let Some(ttl) = self.result_ttl {
            job = job.result_ttl(ttl);
        }
        Ok(job)
    }
}

fn retry_policy(
    retries: Option<u32>,
    delays: Vec<Duration>,
    strategy: Strategy,
) -> Result<RetryPolicy, CliError> {
    let several = delays.len() > 1;
    let retries = match retries {
        Some(retries) => retries,
        None => u32::try_from(delays.len()).unwrap_or(u32::MAX),
    };
    let first = delays.first().copied().unwrap_or(Duration::from_secs(1));
    let backoff = match strategy {
        Strategy::Linear if several => Backoff::Table(delays),
        Strategy::Linear => Backoff::Fixed(first),
        Strategy::Exponential if several => {
            return Err(CliError::usage(
                "an exponential strategy starts from one --retry-delay",
            ));
        }
        Strategy::Exponential => Backoff::Exponential(first),
    };
    Ok(RetryPolicy {
        retries,
        backoff,
        ..RetryPolicy::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn the_flags_of_retry_make_a_policy() {
        let policy = |retries, delays: &[Duration], strategy| {
            retry_policy(retries, delays.to_vec(), strategy).unwrap()
        };
        assert_eq!(policy(None, &[], Strategy::Linear).retries, 0);
        assert_eq!(
            policy(Some(3), &[2 * S], Strategy::Linear),
            RetryPolicy::fixed(3, 2 * S)
        );
        assert_eq!(
            policy(Some(3), &[2 * S], Strategy::Exponential),
            RetryPolicy::exponential(3, 2 * S)
        );
        assert_eq!(
            policy(None, &[S, 2 * S], Strategy::Linear),
            RetryPolicy::table([S, 2 * S])
        );
        assert!(retry_policy(None, vec![S, S], Strategy::Exponential).is_err());
    }
}

//! The flags that say what happens after an error.

use std::time::Duration;

use naq::{Backoff, Jitter, RetryPolicy};

use crate::duration::{parse, parse_positive};
use crate::error::CliError;

/// What happens after an error. A handler that asks for a wait of its own (retry-after) gets that instead, once for each retry.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RetryFlags {
    /// How often it is run again after an error [default: the number of delays]
    #[arg(short, long, value_name = "N", visible_alias = "max-retries")]
    #[arg(allow_negative_numbers = true)]
    retries: Option<u32>,

    /// Wait before a retry; several with commas, one for each [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = parse, value_delimiter = ',')]
    retry_delay: Vec<Duration>,

    /// How the waits grow
    #[arg(long, value_name = "NAME", default_value = "linear")]
    retry_strategy: Strategy,

    /// No wait is longer
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    retry_max_delay: Option<Duration>,

    /// Spread the waits by chance, so that jobs that failed together do not come back together [default: none]
    #[arg(long, value_name = "NAME")]
    retry_jitter: Option<JitterFlag>,

    /// Retry only after these errors: class, type, or error, panic, timeout; several with commas
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    retry_on: Vec<String>,

    /// Do not retry after these errors, whatever --retry-on says; several with commas
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    ignore_on: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Strategy {
    /// Always the same wait
    Linear,
    /// Once, twice, three times the wait
    Rising,
    /// Twice the wait each time
    Exponential,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum JitterFlag {
    /// The wait as it is
    None,
    /// Anything from nothing to the wait
    Full,
    /// Anything from half of the wait to all of it
    Equal,
}

impl RetryFlags {
    /// The policy.
    pub(super) fn policy(self) -> Result<RetryPolicy, CliError> {
        let several = self.retry_delay.len() > 1;
        let retries = match self.retries {
            Some(retries) => retries,
            None => u32::try_from(self.retry_delay.len()).unwrap_or(u32::MAX),
        };
        if retries == 0 && self.shapes_retries() {
            let text = "there are no retries that these flags could shape";
            return Err(CliError::usage(text).hint("say how many: --retries 3"));
        }
        let first = self.retry_delay.first().copied();
        let first = first.unwrap_or(Duration::from_secs(1));
        let backoff = match self.retry_strategy {
            Strategy::Linear if several => Backoff::Table(self.retry_delay),
            Strategy::Linear => Backoff::Fixed(first),
            Strategy::Rising | Strategy::Exponential if several => {
                let text = "a strategy that grows starts from one --retry-delay";
                return Err(CliError::usage(text)
                    .hint("leave --retry-strategy out to use each of the delays in turn"));
            }
            Strategy::Rising => Backoff::Rising(first),
            Strategy::Exponential => Backoff::Exponential(first),
        };
        Ok(RetryPolicy {
            retries,
            backoff,
            max_delay: self.retry_max_delay,
            jitter: match self.retry_jitter {
                None | Some(JitterFlag::None) => Jitter::None,
                Some(JitterFlag::Full) => Jitter::Full,
                Some(JitterFlag::Equal) => Jitter::Equal,
            },
            retry_on: self.retry_on,
            ignore_on: self.ignore_on,
        })
    }

    /// Whether there is anything that means nothing without a retry.
    fn shapes_retries(&self) -> bool {
        self.retry_strategy != Strategy::Linear
            || self.retry_max_delay.is_some()
            || self.retry_jitter.is_some()
            || !self.retry_on.is_empty()
            || !self.ignore_on.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        retry: RetryFlags,
    }

    fn policy(line: &str) -> Result<RetryPolicy, CliError> {
        let words = std::iter::once("naq").chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().retry.policy()
    }

    #[test]
    fn the_flags_of_retry_make_a_policy() {
        let of = |line| policy(line).unwrap();
        assert_eq!(of("").retries, 0);
        assert_eq!(of("-r 3 --retry-delay 2s"), RetryPolicy::fixed(3, 2 * S));
        assert_eq!(of("--max-retries 2"), RetryPolicy::fixed(2, S));
        assert_eq!(of("--retry-delay 1s,2s"), RetryPolicy::table([S, 2 * S]));
        assert_eq!(
            of("-r 4 --retry-strategy rising --retry-delay 2s"),
            RetryPolicy::rising(4, 2 * S)
        );
        assert_eq!(
            of(
                "-r 5 --retry-strategy exponential --retry-max-delay 1m --retry-jitter full --retry-on http_5xx,timeout --ignore-on http_501"
            ),
            RetryPolicy::exponential(5, S)
                .max_delay(60 * S)
                .jitter(Jitter::Full)
                .retry_on(["http_5xx", "timeout"])
                .ignore_on(["http_501"])
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_advice() {
        for line in [
            "--retry-delay 1s,2s --retry-strategy exponential",
            "--retry-delay 1s,2s --retry-strategy rising",
            "--retry-jitter full",
            "--retry-on timeout",
            "--retries 0 --retry-max-delay 1m",
        ] {
            assert!(policy(line).is_err(), "{line}");
        }
    }
}

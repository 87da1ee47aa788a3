//! `naq enqueue`: one job from the command line.

use std::time::{Duration, SystemTime};

use naq::{Job, JobId, Priority};

use super::job_flags::JobFlags;
use super::result::FOR_EVER;
use super::{outcome, payload};
use crate::context::Context;
use crate::duration::{parse, parse_positive};
use crate::error::CliError;
use crate::logging::{self, Level};

/// Enqueue a job and print its id
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  naq enqueue mail '{\"to\": \"Ada\"}'
  naq enqueue report @payload.json --queue slow --retries 3 --retry-delay 10s,1m,5m
  echo '[1, 2]' | naq enqueue sum - --wait=30s
  naq enqueue backup --at 2030-01-01T03:00:00+01:00")]
pub(crate) struct Args {
    /// The job's kind: which handler runs it
    kind: String,

    /// The payload as JSON; `-` reads standard input, `@FILE` a file
    #[arg(
        value_name = "JSON",
        default_value = "null",
        allow_hyphen_values = true
    )]
    payload: String,

    /// The job's id; enqueuing the same id again has no effect [default: a new one]
    #[arg(long)]
    id: Option<JobId>,

    #[command(flatten)]
    options: JobFlags,

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

    /// Run it not before this time has passed
    #[arg(short, long, value_name = "TIME", value_parser = parse, conflicts_with = "at")]
    delay: Option<Duration>,

    /// Run it not before this moment, RFC 3339
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Option<SystemTime>,

    /// Wait for the job's end and print its result, as `naq result --wait` [default time: for ever]
    #[arg(short, long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    #[arg(value_parser = parse_positive, default_missing_value = "3650d")]
    wait: Option<Duration>,

    /// Print JSON: `{"id": ...}`, or with --wait the whole outcome
    #[arg(long)]
    json: bool,
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

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    let (wait, as_json) = (args.wait, args.json);
    let job = job(args).await?;
    let jobs = context.jobs().await?;
    let handle = jobs.enqueue(job).await?;
    let id = handle.id();
    let shown = match wait {
        None if as_json => context
            .output
            .json(&serde_json::json!({ "id": id.as_str() })),
        None => context.output.line(id.as_str()),
        Some(time) => {
            context.output.note(format!("enqueued {id}"));
            let ended = handle
                .outcome(time.min(FOR_EVER))
                .await
                .map_err(CliError::from);
            jobs.shutdown().await;
            return outcome::show(context, &ended.map_err(|e| not_ended(e, id))?, as_json);
        }
    };
    jobs.shutdown().await;
    Ok(shown?)
}

async fn job(args: Args) -> Result<Job, CliError> {
    let job = Job::from_json(args.kind, payload::read(args.payload).await?)?;
    let mut job = args.options.apply(job)?.priority(args.priority.into());
    if let Some(key) = args.limit_key {
        job = job.limit_key(key)?;
    }
    if let Some(id) = args.id {
        job = job.id(id);
    }
    if let Some(delay) = args.delay {
        job = job.delay(delay);
    }
    if let Some(at) = args.at {
        job = job.at(at);
    }
    Ok(job)
}

pub(super) fn moment(text: &str) -> Result<SystemTime, String> {
    let moment: jiff::Timestamp = text.trim().parse().map_err(|error: jiff::Error| {
        format!("write it like 2030-01-01T03:00:00Z or 2030-01-01T03:00:00+01:00 ({error})")
    })?;
    Ok(moment.into())
}

fn not_ended(error: CliError, id: &JobId) -> CliError {
    if error.code != crate::exit_code::TIMEOUT {
        return error;
    }
    error.hint(format!(
        "it goes on: ask again with `naq result {id} --wait`; is a worker running for its queue \
         (`naq worker list`)?"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_a_zone() {
        assert_eq!(
            moment("1970-01-01T01:00:00+01:00"),
            Ok(SystemTime::UNIX_EPOCH)
        );
        assert!(moment("1970-01-01T01:00:00").is_err());
        assert!(moment("tomorrow").is_err());
    }
}

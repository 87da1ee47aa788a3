//! `naq enqueue`: one job from the command line.

use std::time::{Duration, SystemTime};

use naq::{Job, JobId, Landing};

use super::batch_file::{self, BatchFlags};
use super::enqueue_flags::EnqueueFlags;
use super::job_flags::JobFlags;
use super::result::FOR_EVER;
use super::{outcome, payload};
use crate::context::Context;
use crate::duration::{parse, parse_positive};
use crate::error::CliError;
use crate::logging::{self, Level};

/// Enqueue a job and print its id; or a file of jobs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  naq enqueue mail '{\"to\": \"Ada\"}'
  naq enqueue report @payload.json --queue slow --retries 3 --retry-delay 10s,1m,5m
  echo '[1, 2]' | naq enqueue sum - --wait=30s
  naq enqueue backup --at 2030-01-01T03:00:00+01:00
  naq enqueue invoice 17 --unique invoice-17 --expires-in 1h --deadline 10m
  naq enqueue fetch 1 --retries 5 --retry-strategy exponential --retry-jitter full --retry-on http_5xx,timeout
  naq enqueue scan --file picture.json --header tenant=acme --compress zlib
  naq enqueue bill 17 --after invoice-17,address-17
  naq enqueue mail --batch mails.jsonl --resume mails-2030-01")]
pub(crate) struct Args {
    /// The job's kind: which handler runs it
    #[arg(required_unless_present = "batch")]
    kind: Option<String>,

    /// The payload as JSON; `-` reads standard input, `@FILE` a file
    #[arg(
        value_name = "JSON",
        default_value = "null",
        allow_hyphen_values = true
    )]
    payload: String,

    /// The payload from this file, as JSON, whatever its size
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    file: Option<String>,

    /// The job's id; enqueuing the same id again has no effect [default: a new one]
    #[arg(long)]
    id: Option<JobId>,

    #[command(flatten)]
    options: JobFlags,

    #[command(flatten)]
    more: EnqueueFlags,

    #[command(flatten)]
    batch: BatchFlags,

    /// Run it not before this time has passed
    #[arg(short, long, visible_alias = "in", value_name = "TIME", value_parser = parse, conflicts_with = "at")]
    #[arg(allow_negative_numbers = true)]
    delay: Option<Duration>,

    /// Run it not before this moment, RFC 3339
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    at: Option<SystemTime>,

    /// Wait for the job's end and print its result, as `naq result --wait` [default time: for ever]
    #[arg(short, long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    #[arg(value_parser = parse_positive, default_missing_value = "3650d")]
    wait: Option<Duration>,

    /// Print JSON: `{"id": ...}`, with --unique also what became of it, with --wait the whole outcome, with --batch a line
    /// for each job
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    context.start_logging(Level::Warn, logging::ERRORS_ARE_SHOWN);
    if let Some(path) = args.batch.batch.clone() {
        let (flags, kind, as_json) = (args.batch.clone(), args.kind.clone(), args.json);
        let make = move |kind, payload| dressed(Job::from_json(kind, payload)?, &args);
        let run = batch_file::run(context, flags, &path, kind.as_deref(), make, as_json);
        return Box::pin(run).await;
    }
    let (wait, as_json, is_unique) = (args.wait, args.json, args.more.is_unique());
    let after = args.more.after().to_vec();
    let job = job(args).await?;
    let jobs = context.jobs().await?;
    let handle = match after {
        after if after.is_empty() => jobs.enqueue(job).await?,
        after => jobs.enqueue_after(job, after).await?,
    };
    let id = handle.id();
    let shown = match wait {
        None if as_json => {
            let mut said = serde_json::json!({ "id": id.as_str() });
            if is_unique {
                said["landing"] = batch_file::word(handle.landing()).into();
            }
            context.output.json(&said)
        }
        None => {
            note(context, handle.landing());
            context.output.line(id.as_str())
        }
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

async fn job(mut args: Args) -> Result<Job, CliError> {
    let from = match args.file.take() {
        Some(file) => format!("@{file}"),
        None => std::mem::take(&mut args.payload),
    };
    let job = Job::from_json(
        args.kind.take().unwrap_or_default(),
        payload::read(from).await?,
    )?;
    let job = dressed(job, &args)?;
    Ok(match args.id {
        Some(id) => job.id(id),
        None => job,
    })
}

/// Says that nothing new was enqueued.
fn note(context: &Context, landing: Landing) {
    match landing {
        Landing::New => {}
        Landing::Existing => context
            .output
            .note("the key is taken; this is the job that is there"),
        Landing::Replaced => context
            .output
            .note("a job that waited has this payload now"),
    }
}

/// The job as the flags say.
fn dressed(job: Job, args: &Args) -> Result<Job, CliError> {
    let mut job = args.more.clone().apply(args.options.clone().apply(job)?)?;
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

//! `naq enqueue --batch`: a job for each line of a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use naq::{Job, JobHandle, JobId, Jobs, JobsError, Landing, Unique};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::exit_code;
use crate::signals::Signals;

/// Lines that are read and stored at a time.
const CHUNK: usize = 900;

/// Mistakes that are shown at the most.
const SHOWN: usize = 10;

/// The flags of a batch.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BatchFlags {
    /// Enqueue a job for each line of this file: an object with `payload`, and optionally `kind`, `id`, `queue`,
    /// `delay`, `unique`, `expires_in`, `headers`; all else as the other flags say
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "wait", "file", "unique"])]
    pub(super) batch: Option<PathBuf>,

    /// The name of the batch: the same command again goes on behind the last job that is in [default: a new one]
    #[arg(long, value_name = "NAME", requires = "batch")]
    resume: Option<String>,

    /// Read and count the lines, enqueue nothing
    #[arg(long, requires = "batch")]
    dry_run: bool,
}

/// One line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kind: Option<String>,
    #[serde(default)]
    payload: Option<Box<RawValue>>,
    id: Option<String>,
    queue: Option<String>,
    delay: Option<String>,
    unique: Option<String>,
    expires_in: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// Makes the job of a kind and payload, as the flags say.
pub(super) trait Make: Fn(String, Box<RawValue>) -> Result<Job, CliError> {}

impl<F: Fn(String, Box<RawValue>) -> Result<Job, CliError>> Make for F {}

/// Enqueues the lines of a file, or counts them.
pub(super) async fn run(
    context: &Context,
    flags: BatchFlags,
    path: &Path,
    kind: Option<&str>,
    make: impl Make,
    as_json: bool,
) -> Result<(), CliError> {
    let kinds = check(path, kind, &make)?;
    let total: u64 = kinds.values().sum();
    if flags.dry_run {
        if as_json {
            let counts = json!({ "jobs": total, "kinds": kinds });
            return Ok(context.output.json(&counts)?);
        }
        let each = kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
        let each = each.collect::<Vec<_>>().join(", ");
        let text = format!("{total} jobs would be enqueued: {each}");
        return Ok(context.output.line(text)?);
    }
    let jobs = context.jobs().await?;
    let name = flags
        .resume
        .unwrap_or_else(|| format!("batch-{}", JobId::generate()));
    let lines = lines(path)?.map(|line| job_of(&line?.1, kind, &make));
    let stored = store(context, &jobs, lines, (&name, total), as_json).await;
    jobs.shutdown().await;
    match stored? {
        0 => Ok(()),
        refused => Err(CliError::new(
            exit_code::USAGE,
            format!("{refused} of {total} jobs were refused; the others are in"),
        )),
    }
}

/// Enqueues behind the place of the batch; says how many were refused.
async fn store(
    context: &Context,
    jobs: &Jobs,
    lines: impl Iterator<Item = Result<Job, CliError>>,
    (name, total): (&str, u64),
    as_json: bool,
) -> Result<u64, CliError> {
    let signals = Signals::listen()?;
    let mut bulk = jobs.bulk(name).await?;
    let bar = progress(context, total);
    let (mut refused, mut is_read) = (0, true);
    let mut lines = lines.skip(bulk.position()).peekable();
    while lines.peek().is_some() {
        let from = bulk.position();
        if signals.token().is_cancelled() {
            bar.finish_and_clear();
            return Err(signals.interrupted().hint(to_go_on(name, from, total)));
        }
        let chunk = lines.by_ref().take(CHUNK);
        let chunk: Vec<Job> = chunk.collect::<Result<_, _>>()?;
        let answers = bulk
            .push(chunk)
            .await
            .map_err(|error| CliError::from(error).hint(to_go_on(name, bulk.position(), total)))?;
        for (offset, answer) in answers.into_iter().enumerate() {
            refused += u64::from(answer.is_err());
            if is_read {
                let shown = bar.suspend(|| show(context, from + offset + 1, answer, as_json));
                is_read = is_read_on(shown)?;
            }
        }
        bar.set_position(u64::try_from(bulk.position()).unwrap_or(u64::MAX));
    }
    bar.finish_and_clear();
    context.output.note(format!("{total} lines, batch {name}"));
    Ok(refused)
}

fn to_go_on(name: &str, place: usize, total: u64) -> String {
    format!(
        "{place} of {total} jobs are in; the same command with `--resume {name}` goes on behind them"
    )
}

/// Whether somebody still reads the answers. The jobs go in all the same if not, as with `| head`.
fn is_read_on(shown: io::Result<()>) -> io::Result<bool> {
    match shown {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        shown => shown.map(|()| true),
    }
}

/// What became of one job.
fn show(
    context: &Context,
    number: usize,
    answer: Result<JobHandle<Value>, JobsError>,
    as_json: bool,
) -> io::Result<()> {
    let (id, word, error) = match &answer {
        Ok(handle) => (handle.id().as_str(), word(handle.landing()), None),
        Err(error) => ("", "refused", Some(error.to_string())),
    };
    if as_json {
        let mut line = json!({ "line": number, "landing": word });
        match error {
            Some(error) => line["error"] = error.into(),
            None => line["id"] = id.into(),
        }
        return context.output.line(line.to_string());
    }
    let text = match error {
        Some(error) => format!("line {number}\t{word}\t{error}"),
        None => format!("{id}\t{word}"),
    };
    context.output.line(text)
}

/// The word for what became of a job.
pub(super) fn word(landing: Landing) -> &'static str {
    match landing {
        Landing::New => "new",
        Landing::Existing => "existing",
        Landing::Replaced => "replaced",
    }
}

/// Reads all lines, so that a mistake in the last one is told before the first is enqueued; counts the kinds.
fn check(
    path: &Path,
    kind: Option<&str>,
    make: &impl Make,
) -> Result<BTreeMap<String, u64>, CliError> {
    let (mut kinds, mut mistakes) = (BTreeMap::new(), Vec::new());
    for line in lines(path)? {
        let (number, text) = line?;
        match job_of(&text, kind, make) {
            Ok(job) => *kinds.entry(job.kind().to_string()).or_default() += 1,
            Err(error) => mistakes.push(format!(
                "  line {number}: {}",
                error.message.unwrap_or_default()
            )),
        }
    }
    if mistakes.is_empty() {
        return Ok(kinds);
    }
    let count = mistakes.len();
    mistakes.truncate(SHOWN);
    let text = format!(
        "{count} lines of {} are no jobs, so nothing was enqueued:\n{}",
        path.display(),
        mistakes.join("\n")
    );
    Err(CliError::usage(text)
        .hint("a line looks like {\"kind\": \"mail\", \"payload\": {\"to\": \"Ada\"}}"))
}

type Numbered = Result<(usize, String), CliError>;

/// The lines that are not empty, with their numbers.
fn lines(path: &Path) -> Result<impl Iterator<Item = Numbered>, CliError> {
    let failed =
        |e: &io::Error| CliError::usage(format!("failed to read {}", path.display())).because(e);
    let file = File::open(path).map_err(|e| failed(&e))?;
    let name = path.display().to_string();
    let numbered = BufReader::new(file).lines().enumerate();
    Ok(numbered
        .filter(|(_, line)| !line.as_ref().is_ok_and(|text| text.trim().is_empty()))
        .map(move |(index, line)| match line {
            Ok(text) => Ok((index + 1, text)),
            Err(e) => Err(CliError::usage(format!("failed to read {name}")).because(&e)),
        }))
}

fn job_of(text: &str, kind: Option<&str>, make: &impl Make) -> Result<Job, CliError> {
    let line: Line = serde_json::from_str(text).map_err(|e| CliError::usage(mistake(text, &e)))?;
    let kind = line.kind.or_else(|| kind.map(str::to_owned));
    let kind = kind.ok_or_else(|| {
        CliError::usage("no `kind`, and none on the command line: `naq enqueue KIND --batch FILE`")
    })?;
    let payload = line.payload.unwrap_or_else(|| RawValue::NULL.to_owned());
    let mut job = make(kind, payload)?;
    if let Some(id) = line.id {
        job = job.id(JobId::new(id).map_err(|e| CliError::usage(e.to_string()))?);
    }
    if let Some(queue) = line.queue {
        job = job.queue(queue)?;
    }
    if let Some(delay) = line.delay {
        job = job.delay(time(&delay)?);
    }
    if let Some(key) = line.unique {
        job = job.unique(Unique::key(key));
    }
    if let Some(after) = line.expires_in {
        job = job.expires_in(time(&after)?);
    }
    for (name, value) in line.headers {
        job = job.header(name, value)?;
    }
    Ok(job)
}

/// What is wrong with a line, without the words of the parser for what is no JSON object at all.
fn mistake(text: &str, error: &serde_json::Error) -> String {
    match text.trim_start().starts_with('{') {
        true => format!("no job: {error}"),
        false => "no JSON object".to_owned(),
    }
}

fn time(text: &str) -> Result<Duration, CliError> {
    parse_positive(text).map_err(|error| CliError::usage(format!("{text:?}: {error}")))
}

/// Only while the answers go elsewhere: where they are seen they tell how far it is.
fn progress(context: &Context, total: u64) -> ProgressBar {
    let out = &context.output;
    match out.is_terminal() {
        true => ProgressBar::hidden(),
        false => out.progress(Some(total), "{wide_bar} {pos}/{len}  {per_sec}"),
    }
}

//! `naq job watch` and `naq job logs`: what a job says.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use naq::{JobId, JobNews, Jobs, LogLine, Outcome, Progress};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::commands::outcome;
use crate::context::Context;
use crate::duration::parse_positive;
use crate::error::CliError;
use crate::exit_code;

/// Watch a job until it ends: progress, partial results, log, result
///
/// What was said before is shown first. Parts and the result go to standard output, progress and log to standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 it completed, 5 it failed or was cancelled, 6 not ended in time.

Examples:
  naq job watch import-3
  naq job watch import-3 --json --timeout 10m | jq .progress")]
pub(crate) struct Args {
    /// The job's id
    id: JobId,

    /// How long to watch [default: until it ends]
    #[arg(short, long, value_name = "TIME", value_parser = parse_positive)]
    timeout: Option<Duration>,

    /// Print one JSON object a line: `progress`, `part`, `log` or `end`
    #[arg(long)]
    json: bool,
}

/// Print the log of a job: what there is, or until it ends
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// The job's id
    id: JobId,

    /// Go on until the job ends
    #[arg(short, long)]
    follow: bool,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Longest silence after which `logs` has printed what there is.
const SILENCE: Duration = Duration::from_millis(500);

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let deadline = args
        .timeout
        .and_then(|limit| Instant::now().checked_add(limit));
    let bar = Bar::new(context, args.json);
    let mut watch = jobs.watch(&args.id);
    loop {
        let news = match deadline {
            None => watch.next().await,
            Some(deadline) => timeout_at(deadline, watch.next()).await.map_err(|_late| {
                CliError::new(
                    exit_code::TIMEOUT,
                    format!("job {} has not ended in time", args.id),
                )
                .hint("it goes on; `naq explain` says why a job does not run")
            })?,
        };
        let Some(news) = news else {
            return Ok(());
        };
        match news? {
            JobNews::End(end) => {
                bar.close();
                return ended(context, &end, args.json);
            }
            news if args.json => context.output.line(shown(&news).to_string())?,
            JobNews::Progress(progress) => bar.show(context, &progress),
            JobNews::Part(part) => bar.apart(|| context.output.line(part.value.get()))?,
            JobNews::Log(line) => bar.apart(|| context.output.note(text(&line))),
            _ => {}
        }
    }
}

pub(super) async fn logs(context: &Context, jobs: &Jobs, args: LogsArgs) -> Result<(), CliError> {
    let mut watch = jobs.watch(&args.id);
    loop {
        let news = if args.follow {
            watch.next().await
        } else {
            match tokio::time::timeout(SILENCE, watch.next()).await {
                Ok(news) => news,
                Err(_silent) => return Ok(()),
            }
        };
        match news.transpose()? {
            None | Some(JobNews::End(_)) => return Ok(()),
            Some(JobNews::Log(line)) if args.json => {
                context.output.line(json!(line).to_string())?;
            }
            Some(JobNews::Log(line)) => context.output.line(text(&line))?,
            Some(_) => {}
        }
    }
}

fn ended(context: &Context, end: &Outcome, as_json: bool) -> Result<(), CliError> {
    if !as_json {
        return outcome::show(context, end, false);
    }
    context.output.line(json!({ "end": end }).to_string())?;
    if end.is_success() {
        return Ok(());
    }
    Err(CliError::silent(exit_code::JOB_FAILED))
}

fn shown(news: &JobNews) -> Value {
    match news {
        JobNews::Progress(progress) => json!({ "progress": progress }),
        JobNews::Part(part) => json!({ "part": part }),
        JobNews::Log(line) => json!({ "log": line }),
        _ => json!({}),
    }
}

fn text(line: &LogLine) -> String {
    format!("{:5} {}", line.level, line.message)
}

/// A bar on a terminal, else lines on standard error.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(context: &Context, as_json: bool) -> Self {
        let is_shown = context.output.err_is_terminal() && !as_json;
        Self(is_shown.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}");
            bar.with_style(style.unwrap_or_else(|_impossible| ProgressStyle::default_bar()))
        }))
    }

    fn show(&self, context: &Context, progress: &Progress) {
        let message = progress.message.clone().unwrap_or_default();
        match &self.0 {
            Some(bar) => {
                bar.set_length(progress.total.max(progress.done));
                bar.set_position(progress.done);
                bar.set_message(message);
            }
            None => context
                .output
                .note(format!("{}/{} {message}", progress.done, progress.total).trim_end()),
        }
    }

    /// Prints something beside the bar.
    fn apart<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn close(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

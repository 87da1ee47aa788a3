//! The course of the demo.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::audit::Audit;
use super::checks::{self, Check, Evidence};
use super::crowd::Crowd;
use super::files::{self, Corpus};
use super::ledger::Ledger;
use super::progress::{Progress, View};
use super::report::{Report, Server};
use super::stage::{Size, Stage};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::logging::Level;
use crate::output::grouped;
use crate::signals::Signals;

/// How often the display changes, and the end is looked for.
const TICK: Duration = Duration::from_millis(100);
/// Time without progress after which the server itself is asked: longer than the slowest job.
const ASK_AFTER: Duration = Duration::from_secs(7);
/// Time without progress after which the demo gives up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// Run jobs on your files, with a server of its own, and check what comes out
#[derive(Debug, clap::Args)]
#[command(after_help = "\
One job for each text file below DIR: it counts lines, words, and the ten most frequent words. A text file is valid UTF-8
without NUL bytes. Left out are .git, .naq, node_modules, and directories with a CACHEDIR.TAG (such as cargo's target);
links are not followed.
Besides: a job that fails twice, one that always fails, one that panics, one that is delayed, and one that takes longer
than its lease.

Exit codes: 0 everything adds up, 8 it does not, 130 Ctrl-C: running jobs get two seconds, the rest is handed back, the
server and its temporary store are gone. The demo ignores configuration files.")]
pub(crate) struct Args {
    /// Where the files are
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// Number of workers, at least 2
    #[arg(long, value_name = "N", default_value = "2")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=100))]
    workers: u32,

    /// Jobs that each worker runs at the same time
    #[arg(short, long, value_name = "N", default_value = "10")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1000))]
    concurrency: u32,

    /// Keep the server's store in this directory, for `naq dev --store`
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,

    /// Print one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), CliError> {
    // The failures of the demo are on purpose: no warnings about them.
    context.start_logging(Level::Error, "");
    let signals = Signals::listen()?;
    if context.globals.nats_url.is_some() {
        return Err(CliError::usage(
            "the demo runs a server of its own: --nats-url makes no sense",
        ));
    }
    let dir = checked(&args.dir)?;
    let logs = context
        .globals
        .log_level
        .is_some_and(|level| level > Level::Error);
    let progress = Progress::start(context.output.err_is_terminal() && !logs, "reading files");
    let corpus = scan(dir, &signals).await?;
    progress.say("starting nats-server (fetched once if there is none)");
    let ledger = Ledger::default();
    let size = Size {
        workers: args.workers,
        concurrency: args.concurrency,
    };
    let setting = Stage::set(size, args.keep.as_deref(), &ledger);
    let stage = signals.unless_stopped(setting).await??;
    let play = Play {
        corpus,
        ledger,
        progress,
    };
    let played = signals.unless_stopped(Box::pin(play.perform(&stage))).await;
    let url = stage.url();
    play.progress.say("stopping");
    let (settled, struck) = stage.strike().await;
    play.progress.end();
    let Ok(played) = played else {
        let done = grouped(settled.completed + settled.failed);
        let mut interrupted = signals.interrupted();
        interrupted.message = Some(format!(
            "interrupted: {done} jobs had ended, {} handed back; the server at {url} is gone",
            settled.handed_back
        ));
        return Err(interrupted);
    };
    let (report, audit, checks) = played?;
    struck?;
    play.tell(context, &args, &report, &audit, &checks)
}

/// What the demo works with.
struct Play {
    corpus: Corpus,
    ledger: Ledger,
    progress: Progress,
}

impl Play {
    async fn perform(&self, stage: &Stage) -> Result<(Report, Audit, Vec<Check>), CliError> {
        let crowd = Crowd::new(&self.corpus);
        let delayed_at_ms = now_ms();
        let enqueuing = crowd.enqueue(&stage.jobs, &self.corpus, &self.ledger);
        let watching = async {
            loop {
                tokio::time::sleep(TICK).await;
                self.progress.show(&self.view(stage, &crowd));
            }
        };
        tokio::select! {
            enqueued = enqueuing => enqueued?,
            () = watching => {}
        }
        let audit = self.until_settled(stage, &crowd).await?;
        let server = Server {
            version: stage.version(),
            url: stage.url(),
        };
        let checks = checks::all(Evidence {
            audit: &audit,
            crowd: &crowd,
            corpus: &self.corpus,
            ledger: &self.ledger,
            delayed_at_ms,
        });
        Ok((
            Report::new(server, &audit, &crowd, &self.ledger),
            audit,
            checks,
        ))
    }

    /// Waits until the server has an outcome for each job, or nothing happens any more.
    async fn until_settled(&self, stage: &Stage, crowd: &Crowd) -> Result<Audit, CliError> {
        let (mut settled, mut changed_at) = (0, Instant::now());
        loop {
            let view = self.view(stage, crowd);
            self.progress.show(&view);
            if view.settled() != settled {
                (settled, changed_at) = (view.settled(), Instant::now());
            }
            let silence = changed_at.elapsed();
            if settled >= view.total || silence > ASK_AFTER {
                let audit = Audit::read(&stage.jobs, crowd).await?;
                if audit.is_complete(crowd) || silence > GIVE_UP_AFTER {
                    return Ok(audit);
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn view(&self, stage: &Stage, crowd: &Crowd) -> View {
        View {
            total: u64::try_from(crowd.len()).unwrap_or(u64::MAX),
            running: u64::try_from(self.ledger.running()).unwrap_or(u64::MAX),
            report: stage.report(),
            since: crowd.since.elapsed(),
        }
    }

    fn tell(
        &self,
        context: &Context,
        args: &Args,
        report: &Report,
        audit: &Audit,
        checks: &[Check],
    ) -> Result<(), CliError> {
        let out = &context.output;
        for skipped in &self.corpus.skipped {
            out.note(format!("not readable, left out: {skipped}"));
        }
        if self.corpus.files.is_empty() {
            out.note(format!("no text files below {}", args.dir.display()));
        }
        if args.json {
            out.json(report)?;
        } else {
            report.print(context, audit, checks, &self.corpus)?;
        }
        if let Some(store) = &args.keep {
            out.note(format!(
                "the store is kept: naq dev --store {}",
                store.display()
            ));
        }
        let broken: Vec<_> = checks.iter().filter(|check| !check.holds).collect();
        if broken.is_empty() {
            return Ok(());
        }
        let mut failed = CliError::new(exit_code::DEMO, "the demo does not add up");
        failed.causes = broken
            .iter()
            .map(|check| format!("not true: {}", check.what))
            .collect();
        Err(failed)
    }
}

/// The directory with its full path, so that jobs find the files wherever they run.
fn checked(dir: &Path) -> Result<PathBuf, CliError> {
    let failed = |error: std::io::Error| {
        CliError::usage(format!("failed to read the directory {}", dir.display())).because(&error)
    };
    std::fs::read_dir(dir).map_err(failed)?;
    dir.canonicalize().map_err(failed)
}

/// On a thread that may block; a signal is heard between two pieces of a file.
async fn scan(dir: PathBuf, signals: &Signals) -> Result<Corpus, CliError> {
    let stop = signals.token().clone();
    let scanned = tokio::task::spawn_blocking(move || files::scan(&dir, &|| !stop.is_cancelled()));
    let scanned = scanned.await.map_err(|error| {
        CliError::new(exit_code::INTERNAL, "failed to read the files").because(&error)
    })?;
    // It only fails if it is stopped.
    scanned.map_err(|_| signals.interrupted())
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

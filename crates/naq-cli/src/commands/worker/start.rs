//! `naq worker`: runs jobs until it is told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use naq::config::settings::PoolSettings;
use naq::{RunningWorker, Settings, StopReport};

use crate::context::{Context, connect};
use crate::error::CliError;
use crate::exit_code;
use crate::logging::Level;
use crate::scrape::serve_process;
use crate::signals::Signals;

pub(super) const HELP: &str = "\
What runs is in the configuration, for example ./naq.yaml:

  workers:
    handlers:
      greet:                          # the kind: naq enqueue greet '\"Ada\"'
        command: [python3, greet.py]  # no shell; payload on standard input, result from standard output
        timeout: 30s

Exit code of a command: 0 completed, 65 failed for good, any other: failed, retried as the job says.
The command finds NAQ_JOB_ID, NAQ_JOB_KIND, NAQ_JOB_QUEUE and NAQ_JOB_ATTEMPT in its environment, NAQ_JOB_FENCE if the job is a
strict one, and TRACEPARENT if it belongs to a trace. With OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318 each attempt is a span
that is exported there.

Ctrl-C or SIGTERM: takes no more jobs, gives those that run `workers.shutdown_timeout`, hands the rest back, and
ends with 0. A second one does not wait for running jobs and ends with 130, a third one ends at once. A queue that is called like a subcommand is written after `--`.";

/// Time that a stop may take before it is said what it waits for.
const SILENCE: Duration = Duration::from_millis(300);

/// The flags of a worker that runs.
#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    /// The queues to serve [default: `queues.default` of the configuration]
    #[arg(value_name = "QUEUES")]
    queues: Vec<String>,

    /// Jobs that run at the same time, 1 to 1000 [default: `workers.concurrency`]
    #[arg(short, long, value_name = "N")]
    concurrency: Option<u32>,

    /// Serve the queues of this pool of the configuration, with its concurrency
    #[arg(short, long, value_name = "NAME", conflicts_with = "queues")]
    pool: Option<String>,

    /// First part of the worker's id [default: naq-worker-<host>]
    #[arg(short, long)]
    name: Option<String>,

    /// Serve the numbers of this worker for Prometheus on http://ADDRESS/metrics; needs `events.enabled`
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
}

pub(super) async fn start(context: &Context, args: Flags) -> Result<(), CliError> {
    // One line per job: that is where the engine says how each one left.
    context.start_logging(Level::Info, "naq_jobs::job=debug");
    let signals = Signals::listen_with_hurry()?;
    let settings = context.settings_with(|loader| match args.concurrency {
        Some(jobs) => loader.set_by("--concurrency", "workers.concurrency", jobs.to_string()),
        None => loader,
    })?;
    if settings.workers.handlers.is_empty() {
        return Err(no_handlers(context));
    }
    let pool = args
        .pool
        .map(|name| pool_of(&settings, &name))
        .transpose()?;
    let grace = settings.workers.shutdown_timeout;
    announce(context, &settings);
    let jobs = signals.unless_stopped(connect(settings)).await??;
    let _serving = serve_process(context, args.metrics, &jobs).await?;
    let mut worker = jobs.worker().handle_configured_commands()?;
    let queues = match pool {
        Some(pool) => {
            worker = worker.concurrency(args.concurrency.unwrap_or(pool.concurrency));
            pool.queues
        }
        None => args.queues,
    };
    for queue in queues {
        worker = worker.queue(queue);
    }
    if let Some(name) = args.name {
        worker = worker.name(name);
    }
    let mut worker = Box::pin(worker.start()).await?;
    let told = worker.told_to_stop();
    let lost = tokio::select! {
        () = signals.token().cancelled() => None,
        () = told => None,
        error = worker.failed() => Some(error),
    };
    let report = match &lost {
        None => stop(context, worker, grace, &signals).await,
        Some(_) => worker.stop(Duration::ZERO).await,
    };
    jobs.shutdown().await;
    if let Some(error) = lost {
        return Err(error.into());
    }
    context.output.note(format!(
        "stopped: {} completed, {} failed, {} retried, {} handed back",
        report.completed, report.failed, report.retried, report.handed_back
    ));
    match signals.hurry().is_cancelled() {
        true => Err(signals.interrupted()),
        false => Ok(()),
    }
}

/// Stops within `grace`; at the second signal the jobs are cancelled and handed back at once.
async fn stop(
    context: &Context,
    worker: RunningWorker,
    grace: Duration,
    signals: &Signals,
) -> StopReport {
    let mut stopping = Box::pin(worker.stop_or_hurry(grace, signals.hurry().cancelled()));
    tokio::select! {
        report = &mut stopping => return report,
        () = tokio::time::sleep(SILENCE) => {}
    }
    let grace = humantime::format_duration(grace);
    context.output.note(format!(
        "stopping: running jobs get {grace}; Ctrl-C again hands them back at once"
    ));
    stopping.await
}

fn pool_of(settings: &Settings, name: &str) -> Result<PoolSettings, CliError> {
    let pools = &settings.workers.pools;
    pools.get(name).cloned().ok_or_else(|| {
        let known = pools.keys().map(String::as_str).collect::<Vec<_>>();
        let hint = match known.is_empty() {
            true => "`workers.pools` of the configuration names none".to_owned(),
            false => format!("the configuration has {}", known.join(", ")),
        };
        CliError::new(exit_code::CONFIGURATION, format!("there is no pool {name}")).hint(hint)
    })
}

fn announce(context: &Context, settings: &Settings) {
    let kinds: Vec<&str> = settings
        .workers
        .handlers
        .keys()
        .map(String::as_str)
        .collect();
    context
        .output
        .note(format!("handles {}; Ctrl-C stops it", kinds.join(", ")));
}

fn no_handlers(context: &Context) -> CliError {
    let place = match &context.globals.config {
        Some(file) => file.display().to_string(),
        None => "./naq.yaml".to_owned(),
    };
    let hint = format!(
        "put the programs that run your jobs into {place}, such as\n
  workers:
    handlers:
      greet:
        command: [python3, greet.py]\n
A worker for handlers written in Rust is five lines of your own program: see the crate `naq`."
    );
    CliError::new(
        exit_code::CONFIGURATION,
        "`workers.handlers` is empty: this worker has nothing to run",
    )
    .hint(hint)
}

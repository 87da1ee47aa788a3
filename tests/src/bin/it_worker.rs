//! A user's worker process, to be killed, stopped and restarted by the tests.
//!
//! Settings come from the environment, as a user's would. Each start and end of a handler is a line in the file
//! `IT_LEDGER`, so that the tests can count what really ran, whatever happens to this process.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq_config::Loader;
use naq_it::{MIXED, Mixed};
use naq_jobs::{JobContext, JobError, JobId, Jobs, Kind};
use tokio::signal::unix::{SignalKind, signal};

/// Sleeps for so many milliseconds and returns the number.
const WORK: Kind<u64, u64> = Kind::new("work");

/// Fails in so many attempts, then returns the number of the attempt.
const FAIL: Kind<u32, u32> = Kind::new("fail");

/// Sleeps for so many milliseconds, and fails if it is told so.
const STEP: Kind<(u64, bool), ()> = Kind::new("step");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    // First of all: a process that is told to end while it starts ends well, too.
    let mut terminate = signal(SignalKind::terminate())?;
    let settings = Loader::new().process_env().load()?.settings;
    let jobs = Jobs::connect(settings).await?;
    // A process that does one thing else, to be killed in the middle of it.
    match std::env::var("IT_DO")
        .ok()
        .as_deref()
        .map(|what| what.split_once(':'))
    {
        Some(Some(("enqueue", id))) => {
            jobs.enqueue(WORK.job(&1)?.id(JobId::new(id)?)).await?;
            return Ok(());
        }
        Some(Some(("enqueue-large", id))) => {
            let text = "x".repeat(700_000);
            let job = naq_jobs::Job::from_payload("echo", &text)?;
            jobs.enqueue(job.queue("mail")?.id(JobId::new(id)?)).await?;
            return Ok(());
        }
        Some(Some(("replace", key))) => {
            let unique = naq_jobs::Unique::key(key).replace();
            jobs.enqueue(WORK.job(&2)?.unique(unique)).await?;
            return Ok(());
        }
        Some(Some(("requeue", id))) => {
            return Ok(jobs.dead_letters().requeue(&JobId::new(id)?).await?);
        }
        Some(Some(("cancel-workflow", id))) => {
            let reason = "cancelled by a test";
            jobs.workflows().cancel(&JobId::new(id)?, reason).await?;
            return Ok(());
        }
        Some(_) => {
            let known = "`enqueue:<id>`, `enqueue-large:<id>`, `replace:<key>`, `requeue:<id>`";
            return Err(format!("IT_DO is {known} or `cancel-workflow:<id>`").into());
        }
        None => {}
    }
    let queues = std::env::var("IT_QUEUES").unwrap_or_default();
    let names = queues.split(',').filter(|name| !name.is_empty());
    names
        .fold(jobs.worker(), |worker, queue| worker.queue(queue))
        .handle(WORK, work)
        .handle(FAIL, fail)
        .handle(STEP, step)
        .handle(MIXED, mixed)
        .run_until(async move {
            terminate.recv().await;
        })
        .await?;
    jobs.shutdown().await;
    Ok(())
}

async fn work(context: JobContext, millis: u64) -> Result<u64, JobError> {
    record("start", &context)?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    record("end", &context)?;
    Ok(millis)
}

async fn fail(context: JobContext, failures: u32) -> Result<u32, JobError> {
    record("end", &context)?;
    match context.attempt() {
        attempt if attempt > failures => Ok(attempt),
        attempt => Err(JobError::message(format!("broken in attempt {attempt}"))),
    }
}

async fn step(_: JobContext, (millis, fails): (u64, bool)) -> Result<(), JobError> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    if fails {
        return Err(JobError::message("told to fail"));
    }
    Ok(())
}

/// An attempt, from its start to the moment in which its future is dropped, whatever the reason.
struct Attempt(JobContext);

impl Attempt {
    fn begin(context: &JobContext) -> Result<Self, JobError> {
        record("start", context)?;
        Ok(Self(context.clone()))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // A line that is missing makes the attempt too long, and the test says so.
        drop(record("gone", &self.0));
    }
}

async fn mixed(context: JobContext, work: Mixed) -> Result<String, JobError> {
    let _attempt = Attempt::begin(&context)?;
    let age = context.enqueued_at().and_then(|at| at.elapsed().ok());
    if work.snoozes && age.is_some_and(|age| age < Duration::from_millis(500)) {
        return Err(JobError::snooze(Duration::from_secs(1)));
    }
    if work.tells {
        context.progress(1, 2).message("half of it");
    }
    tokio::time::sleep(Duration::from_millis(work.millis)).await;
    if context.attempt() <= work.fails {
        return Err(JobError::message("told to fail"));
    }
    record("end", &context)?;
    Ok("x".repeat(work.result))
}

/// One line per event; a short append to a file is whole also when several processes write.
fn record(what: &str, context: &JobContext) -> Result<(), JobError> {
    let path = std::env::var("IT_LEDGER")?;
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    let line = format!(
        "{what} {} {} {} {now} {}\n",
        context.id(),
        context.attempt(),
        std::process::id(),
        context.fence().unwrap_or_default()
    );
    file.write_all(line.as_bytes())?;
    Ok(())
}

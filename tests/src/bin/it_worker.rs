//! A user's worker process, to be killed, stopped and restarted by the tests.
//!
//! Settings come from the environment, as a user's would. Each start and end of a handler is a line in the file
//! `IT_LEDGER`, so that the tests can count what really ran, whatever happens to this process.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use naq_config::Loader;
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
        Some(Some(("requeue", id))) => {
            return Ok(jobs.dead_letters().requeue(&JobId::new(id)?).await?);
        }
        Some(_) => {
            return Err("IT_DO is `enqueue:<id>`, `enqueue-large:<id>` or `requeue:<id>`".into());
        }
        None => {}
    }
    let mut terminate = signal(SignalKind::terminate())?;
    jobs.worker()
        .handle(WORK, work)
        .handle(FAIL, fail)
        .handle(STEP, step)
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

/// One line per event; a short append to a file is whole also when several processes write.
fn record(what: &str, context: &JobContext) -> Result<(), JobError> {
    let path = std::env::var("IT_LEDGER")?;
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let line = format!(
        "{what} {} {} {}\n",
        context.id(),
        context.attempt(),
        std::process::id()
    );
    file.write_all(line.as_bytes())?;
    Ok(())
}

//! A user's worker process, to be killed, stopped and restarted by the tests.
//!
//! Settings come from the environment, as a user's would. Each start and end of a handler is a line in the file
//! `IT_LEDGER`, so that the tests can count what really ran, whatever happens to this process.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use naq_config::Loader;
use naq_jobs::{JobContext, JobError, Jobs, Kind};
use tokio::signal::unix::{SignalKind, signal};

/// Sleeps for so many milliseconds and returns the number.
const WORK: Kind<u64, u64> = Kind::new("work");

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
    let mut terminate = signal(SignalKind::terminate())?;
    jobs.worker()
        .handle(WORK, work)
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

//! A program of a user who has not updated yet.
//!
//! `worker` runs jobs of the kinds `work` and `large` in the queue `mail` until SIGTERM; each start and end of a handler is a line in
//! the file `IT_LEDGER`. `enqueue COUNT` enqueues so many of them, every fourth due a second later, and waits for their results.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq_config::Loader;
use naq_jobs::{JobContext, JobError, Jobs, Kind};
use tokio::signal::unix::{SignalKind, signal};

/// Sleeps for so many milliseconds and returns the number.
const WORK: Kind<u64, u64> = Kind::new("work").queue("mail").retries(2);

/// The length of a text.
const LARGE: Kind<String, usize> = Kind::new("large").queue("mail");

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let settings = Loader::new().process_env().load()?.settings;
    let jobs = Jobs::connect(settings).await?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker"] => run(&jobs).await?,
        ["enqueue", count] => enqueue(&jobs, count.parse()?).await?,
        _ => return Err("`worker` or `enqueue COUNT`".into()),
    }
    jobs.shutdown().await;
    Ok(())
}

async fn run(jobs: &Jobs) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let until = async move {
        terminate.recv().await;
    };
    let worker = jobs.worker().handle(WORK, work);
    let worker = worker.handle(LARGE, async |_: JobContext, text: String| {
        Ok::<_, JobError>(text.len())
    });
    worker.run_until(until).await?;
    Ok(())
}

async fn enqueue(jobs: &Jobs, count: u64) -> Result<(), Failure> {
    let mut handles = Vec::new();
    for n in 0..count {
        let mut job = WORK.job(&n)?;
        if n % 4 == 3 {
            job = job.delay(Duration::from_secs(1));
        }
        handles.push((n, jobs.enqueue(job).await?));
    }
    for (n, handle) in handles {
        let result = handle.result(Duration::from_secs(60)).await?;
        if result != n {
            return Err(format!("{n} has become {result}").into());
        }
    }
    Ok(())
}

async fn work(context: JobContext, millis: u64) -> Result<u64, JobError> {
    record("start", &context)?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    record("end", &context)?;
    Ok(millis)
}

/// One line per event; a short append to a file is whole also when several processes write.
fn record(what: &str, context: &JobContext) -> Result<(), JobError> {
    let path = std::env::var("IT_LEDGER")?;
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    let (id, attempt, pid) = (context.id(), context.attempt(), std::process::id());
    file.write_all(format!("{what} {id} {attempt} {pid} {now}\n").as_bytes())?;
    Ok(())
}

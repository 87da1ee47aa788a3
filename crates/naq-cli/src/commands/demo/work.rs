//! The kinds of job that the demo has, and their handlers.

use std::fs::File;
use std::time::Duration;

use naq::{JobContext, JobError, Kind, Worker};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ledger::Ledger;
use super::text::{self, Frequencies, TextCount};

/// The queue of all jobs but the long one.
pub(super) const QUEUE: &str = "demo";
/// The queue of the long job: with a lease that is shorter than the job.
pub(super) const LONG_QUEUE: &str = "demo_long";
/// How long a worker may hold a job of [`LONG_QUEUE`] without renewing its lease.
pub(super) const LONG_ACK_WAIT: Duration = Duration::from_secs(2);
/// How long the long job takes.
const LONG: Duration = Duration::from_secs(5);

/// Counts what is in one file.
pub(super) const COUNT: Kind<String, TextCount> = Kind::new("demo.count").queue(QUEUE);
/// Fails twice, then succeeds.
pub(super) const FLAKY: Kind<(), String> = Kind::new("demo.flaky").queue(QUEUE).retries(2);
/// Always fails.
pub(super) const BROKEN: Kind<(), ()> = Kind::new("demo.broken").queue(QUEUE).retries(1);
/// Panics.
pub(super) const PANICS: Kind<(), ()> = Kind::new("demo.panics").queue(QUEUE);
/// Is enqueued with a delay.
pub(super) const DELAYED: Kind<(), ()> = Kind::new("demo.delayed").queue(QUEUE);
/// Runs longer than its lease, which the worker renews meanwhile.
pub(super) const SLOW: Kind<(), ()> = Kind::new("demo.slow").queue(LONG_QUEUE);

/// Registers all of them.
pub(super) fn register(worker: Worker, ledger: &Ledger) -> Worker {
    let worker = with(worker, COUNT, ledger, count);
    let worker = with(worker, FLAKY, ledger, flaky);
    let worker = with(worker, BROKEN, ledger, broken);
    let worker = with(worker, PANICS, ledger, panics);
    let worker = with(worker, DELAYED, ledger, delayed);
    with(worker, SLOW, ledger, slow)
}

fn with<A, R, Fut>(
    worker: Worker,
    kind: Kind<A, R>,
    ledger: &Ledger,
    handler: fn(Ledger, JobContext, A) -> Fut,
) -> Worker
where
    A: DeserializeOwned + 'static,
    R: Serialize + 'static,
    Fut: Future<Output = Result<R, JobError>> + Send + 'static,
{
    let ledger = ledger.clone();
    worker.handle(kind, move |context: JobContext, arguments: A| {
        handler(ledger.clone(), context, arguments)
    })
}

async fn count(ledger: Ledger, context: JobContext, path: String) -> Result<TextCount, JobError> {
    let _running = ledger.begin_measured(&context);
    let over = context.cancelled().clone();
    // Files are read on threads that may block.
    let read = tokio::task::spawn_blocking(move || {
        let mut words = Frequencies::new();
        let counted = text::count(File::open(path)?, &mut words, || !over.is_cancelled())?;
        Ok::<_, std::io::Error>(counted.map(|count| (count, words)))
    });
    let Some((count, words)) = read.await?? else {
        return Err(JobError::fatal(JobError::message(
            "the file is no text any more",
        )));
    };
    ledger.counted(&context, words);
    Ok(count)
}

async fn flaky(ledger: Ledger, context: JobContext, (): ()) -> Result<String, JobError> {
    let _running = ledger.begin(&context);
    match context.attempt() {
        attempt @ ..=2 => Err(JobError::message(format!(
            "attempt {attempt} fails on purpose"
        ))),
        attempt => Ok(format!("attempt {attempt} succeeds")),
    }
}

async fn broken(ledger: Ledger, context: JobContext, (): ()) -> Result<(), JobError> {
    let _running = ledger.begin(&context);
    Err(JobError::message("this job always fails, on purpose"))
}

async fn panics(ledger: Ledger, context: JobContext, (): ()) -> Result<(), JobError> {
    let _running = ledger.begin(&context);
    // Unwinds as `panic!` does, without the message on standard error in the middle of the display.
    std::panic::resume_unwind(Box::new("this job panics, on purpose"))
}

async fn delayed(ledger: Ledger, context: JobContext, (): ()) -> Result<(), JobError> {
    let _running = ledger.begin(&context);
    Ok(())
}

async fn slow(ledger: Ledger, context: JobContext, (): ()) -> Result<(), JobError> {
    let _running = ledger.begin(&context);
    tokio::time::sleep(LONG).await;
    Ok(())
}

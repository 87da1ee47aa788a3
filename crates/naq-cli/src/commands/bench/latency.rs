//! The row `latency`: from the enqueue to the start of the handler, at 500 jobs a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use naq::{JobContext, JobError};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::args::Plan;
use super::drain::GRACE;
use super::load::{NOOP, Note};
use super::raw::Raw;
use super::row::{Row, Target};
use super::samples::Samples;
use super::stage::Stage;
use crate::error::CliError;

/// Time between two jobs.
const PACE: Duration = Duration::from_millis(2);
/// Time that the last job may take to arrive.
const LATE: Duration = Duration::from_secs(10);
/// The percentiles that are reported.
const PERCENTILES: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 99.9];
/// The longest latency that is told from a longer one, in microseconds.
const LONGEST: u64 = 60_000_000;

/// Latencies in microseconds; clones share them.
#[derive(Debug, Clone)]
struct Latencies(Arc<Mutex<Histogram<u64>>>);

impl Latencies {
    fn new() -> Result<Self, CliError> {
        let made = Histogram::new_with_bounds(1, LONGEST, 3);
        let made = made.map_err(|e| CliError::new(crate::exit_code::INTERNAL, e.to_string()))?;
        Ok(Self(Arc::new(Mutex::new(made))))
    }

    fn record(&self, base: Instant, note: &Note, now: Instant) {
        let since = now.saturating_duration_since(base + Duration::from_nanos(note.at));
        let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        self.with(|all| all.saturating_record(micros));
    }

    fn count(&self) -> u64 {
        self.with(|all| all.len())
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds for people")]
    fn percentile(&self, percentile: f64) -> f64 {
        self.with(|all| all.value_at_percentile(percentile) as f64)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Histogram<u64>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) async fn row(stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let count = plan.size(2_500, 250);
    let sides = || PERCENTILES.map(|_| Samples::default());
    let (mut theirs, mut ours) = (sides(), sides());
    for round in 0..plan.rounds {
        let queue = format!("latency-{round}");
        let measured = [
            raw(stage, &queue, count).await?,
            Box::pin(naq(stage, &queue, count)).await?,
        ];
        for (side, measured) in [&mut theirs, &mut ours].into_iter().zip(measured) {
            for (samples, percentile) in side.iter_mut().zip(PERCENTILES) {
                samples.push(measured.percentile(percentile));
            }
        }
    }
    let p99 = ours[3].over(&theirs[3]).median();
    let mut row = Row::compared(
        "latency",
        "us (p50)",
        &theirs[0],
        &ours[0],
        Target::AtMostRaw(1.5),
    )
    .and("p99 <= 2.00x", p99 <= 2.0)
    .with("p99_ratio", p99);
    for (index, percentile) in PERCENTILES.iter().enumerate() {
        row = row
            .with(format!("raw_p{percentile}"), theirs[index].median())
            .with(format!("naq_p{percentile}"), ours[index].median());
    }
    Ok(row)
}

async fn raw(stage: &Stage, queue: &str, count: u64) -> Result<Latencies, CliError> {
    let (sender, receiver) = (Raw::on(stage).await?, Raw::apart(stage).await?);
    let consumer = receiver.consumer(queue).await?;
    let (latencies, base) = (Latencies::new()?, Instant::now());
    let receiving = receiver.deliver(&consumer, count, |note, now| {
        latencies.record(base, note, now);
    });
    let sending = paced(count, async || sender.publish(queue, &note(base)).await);
    let both = async { tokio::try_join!(receiving, sending).map(drop) };
    within(count, both).await?;
    Ok(latencies)
}

async fn naq(stage: &Stage, queue: &str, count: u64) -> Result<Latencies, CliError> {
    let receiver = stage.another().await?;
    let (latencies, base) = (Latencies::new()?, Instant::now());
    let seen = latencies.clone();
    let worker = receiver.worker().queue(queue).concurrency(100);
    let worker = worker.handle(NOOP, move |_: JobContext, note: Note| {
        seen.record(base, &note, Instant::now());
        async { Ok::<_, JobError>(()) }
    });
    let worker = Box::pin(worker.start()).await?;
    let sending = paced(count, async || {
        let job = NOOP.job(&note(base))?.queue(queue)?.discard_result();
        stage.naq.enqueue(job).await?;
        Ok(())
    });
    let all = async {
        sending.await?;
        while latencies.count() < count {
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    };
    let done = Box::pin(within(count, all)).await;
    worker.stop(GRACE).await;
    receiver.shutdown().await;
    done.map(|()| latencies)
}

fn note(base: Instant) -> Note {
    Note::new(u64::try_from(base.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

async fn paced(count: u64, send: impl AsyncFn() -> Result<(), CliError>) -> Result<(), CliError> {
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..count {
        ticks.tick().await;
        send().await?;
    }
    Ok(())
}

async fn within(
    count: u64,
    work: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    let limit = LATE + PACE * u32::try_from(count * 10).unwrap_or(u32::MAX);
    timeout(limit, work).await.unwrap_or_else(|_| {
        let text = format!("not all of {count} jobs arrived within {limit:?}");
        Err(CliError::new(crate::exit_code::INTERNAL, text))
    })
}

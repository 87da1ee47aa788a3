//! The row `scale`: whether a job costs the same, however much there is besides it.
//!
//! What is compared is CPU time, of the server (if it is ours) and of this process: it depends less on what else the
//! machine does. What the start of a worker costs is measured apart and taken off. Where the server itself has more to do
//! per job, the raw client's loop over the same queues shows it.

use std::time::{Duration, Instant};

use naq::{JobContext, Jobs};

use super::args::Plan;
use super::drain::GRACE;
use super::load::{NOOP, Note, fill, job, noop};
use super::raw::Raw;
use super::row::{Row, Target};
use super::samples::Samples;
use super::stage::Stage;
use super::usage;
use crate::error::CliError;
use crate::exit_code;

/// Time without an end after which a drain is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);
/// When the delayed jobs would be due: not during the measurement.
const LATER: Duration = Duration::from_secs(24 * 3600);
/// How much more a job may cost.
const FLAT: f64 = 1.15;
/// Passes over the smallest backlog, which is over too soon to be measured once.
const SMALL_PASSES: u32 = 20;

/// One of the situations.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    backlog: u64,
    queues: u64,
    passes: u32,
}

impl Case {
    fn new(name: &'static str, backlog: u64, queues: u64) -> Self {
        Self {
            name,
            backlog,
            queues,
            passes: 1,
        }
    }

    /// Workers that start on these queues and find nothing.
    fn empty(queues: u64) -> Self {
        Self {
            passes: 5,
            ..Self::new("start", 0, queues)
        }
    }
}

pub(super) async fn row(stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let (large, many) = (plan.size(100_000, 1_000), plan.size(1_000, 10));
    let measure = async |case: Case, off: f64| cost(stage, plan, &case, off).await;
    let (one_starts, many_start) = (
        measure(Case::empty(1), 0.0).await?,
        measure(Case::empty(many), 0.0).await?,
    );
    let small = Case {
        passes: SMALL_PASSES,
        ..Case::new("backlog_1k", plan.size(1_000, 200), 1)
    };
    let cases = [
        (small, one_starts),
        (Case::new("backlog_100k", large, 1), one_starts),
        (
            Case::new("backlog_1m", plan.size(1_000_000, 2_000), 1),
            one_starts,
        ),
        (Case::new("queues_1000", large, many), many_start),
    ];
    let raw = Raw::on(stage).await?;
    let mut costs = Vec::new();
    for (case, off) in cases {
        let cost = measure(case, off).await?;
        costs.push((case.name, cost, Some(raw_cost(stage, &raw, &case).await?)));
    }
    delay(&stage.naq, large).await?;
    let delayed = Case::new("delayed_100k", large, 1);
    costs.push((delayed.name, measure(delayed, one_starts).await?, None));
    Ok(compare(&costs))
}

/// The costs of NAQ, and of the raw client where it was measured; the first case is what the others are compared with.
fn compare(costs: &[(&'static str, f64, Option<f64>)]) -> Row {
    let (base, raw_base) = costs
        .first()
        .map_or((0.0, None), |first| (first.1, first.2));
    let worst = costs.iter().map(|(_, cost, _)| *cost).fold(0.0, f64::max);
    let is_flat = costs.iter().all(|(_, cost, raw)| {
        let grown = raw.zip(raw_base).map_or(1.0, |(raw, base)| raw / base);
        *cost <= base * FLAT * grown.max(1.0)
    });
    let sample = |cost: f64| -> Samples { [cost].into_iter().collect() };
    let row = Row::compared(
        "scale",
        "us of CPU per job",
        &sample(base),
        &sample(worst),
        Target::AtMostRaw(FLAT),
    );
    let row = row.or("as much as the raw loop grows", is_flat);
    costs.iter().fold(row, |row, (name, cost, raw)| {
        let row = row.with(*name, *cost);
        match raw {
            Some(raw) => row.with(format!("raw_{name}"), *raw),
            None => row,
        }
    })
}

/// CPU time per job in microseconds of the raw client's loop, one queue after the other.
#[expect(clippy::cast_precision_loss, reason = "microseconds for people")]
async fn raw_cost(stage: &Stage, raw: &Raw, case: &Case) -> Result<f64, CliError> {
    let mut consumers = Vec::new();
    for n in 0..case.queues {
        let queue = format!("{}-{n}", case.name);
        consumers.push((raw.consumer(&queue).await?, queue));
    }
    let (mut pids, each) = (stage.server_pids(), case.backlog / case.queues.max(1));
    pids.push(std::process::id());
    let mut used = Duration::ZERO;
    for _ in 0..case.passes {
        for (_, queue) in &consumers {
            raw.publish_many(queue, each).await?;
        }
        let before = usage::cpu_of(&pids)?;
        for (consumer, _) in &consumers {
            raw.drain_result(consumer, each).await?;
        }
        used += usage::cpu_of(&pids)?.saturating_sub(before);
        stage.tidy().await?;
    }
    let jobs = each * case.queues * u64::from(case.passes);
    Ok(used.as_secs_f64() * 1e6 / jobs.max(1) as f64)
}

/// CPU time per job in microseconds, less `off` for each start of a worker; of a case without jobs: per start.
#[expect(clippy::cast_precision_loss, reason = "microseconds for people")]
async fn cost(stage: &Stage, plan: Plan, case: &Case, off: f64) -> Result<f64, CliError> {
    let queues: Vec<String> = (0..case.queues)
        .map(|n| format!("{}-{n}", case.name))
        .collect();
    let mut pids = stage.server_pids();
    pids.push(std::process::id());
    let concurrency = u32::try_from(case.queues)
        .unwrap_or(1000)
        .max(plan.concurrency);
    let mut used = Duration::ZERO;
    // The consumers are made before anything is measured.
    drain(&stage.naq, &queues, 0, concurrency).await?;
    for _ in 0..case.passes {
        fill(&stage.naq, &queues, case.backlog, true).await?;
        let before = usage::cpu_of(&pids)?;
        drain(&stage.naq, &queues, case.backlog, concurrency).await?;
        used += usage::cpu_of(&pids)?.saturating_sub(before);
        stage.tidy().await?;
    }
    let per_pass = used.as_secs_f64() * 1e6 / f64::from(case.passes);
    Ok((per_pass - off) / case.backlog.max(1) as f64)
}

async fn drain(
    jobs: &Jobs,
    queues: &[String],
    count: u64,
    concurrency: u32,
) -> Result<(), CliError> {
    let mut worker = jobs.worker().concurrency(concurrency);
    for queue in queues {
        worker = worker.queue(queue);
    }
    let worker = worker.handle(NOOP, async |_: JobContext, _: Note| noop().await);
    let worker = Box::pin(worker.start()).await?;
    let start = Instant::now();
    while worker.report().completed < count {
        if start.elapsed() > GIVE_UP_AFTER {
            let text = format!("{GIVE_UP_AFTER:?} for {count} jobs: {:?}", worker.report());
            return Err(CliError::new(exit_code::INTERNAL, text));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    worker.stop(GRACE).await;
    Ok(())
}

/// Makes jobs that are due tomorrow.
async fn delay(jobs: &Jobs, count: u64) -> Result<(), CliError> {
    let mut left = count;
    while left > 0 {
        let size = left.min(10_000);
        let made: Vec<_> = (0..size)
            .map(|_| Ok(job("later", true)?.delay(LATER)))
            .collect::<Result<_, CliError>>()?;
        for answer in jobs.enqueue_many(made).await {
            answer?;
        }
        left -= size;
    }
    Ok(())
}

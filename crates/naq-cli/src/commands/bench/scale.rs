//! The row `scale`: whether a job costs the same, however much there is besides it.
//!
//! What is compared is CPU time, of the server (if it is ours) and of this process: it depends less on what else the
//! machine does. What the start of a worker costs is measured apart and taken off. Each case has streams of its own, and the
//! raw client's loop over the same queues and backlog shows what the server itself has more to do.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use naq::{JobContext, Jobs};

use super::args::Plan;
use super::drain::GRACE;
use super::load::{NOOP, Note, fill, job, noop};
use super::row::{Row, Target};
use super::samples::Samples;
use super::sides::Sides;
use super::stage::Stage;
use super::usage;
use crate::error::CliError;
use crate::exit_code;

/// Time without an end after which a drain is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);
/// When the delayed jobs would be due: not during the measurement.
const LATER: Duration = Duration::from_secs(24 * 3600);
/// How much more a job may cost.
const FLAT: f64 = 1.15;
/// Time that a worker gets to ask for jobs of all its queues: in all, and for each of them.
const SETTLE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(1));

/// One of the situations.
#[derive(Debug, Clone, Copy)]
struct Case {
    backlog: u64,
    queues: u64,
    passes: u64,
    /// Jobs besides that are due later.
    delayed: u64,
}

impl Case {
    fn new(backlog: u64) -> Self {
        Self {
            backlog,
            queues: 1,
            passes: 1,
            delayed: 0,
        }
    }

    /// What is special about it, as a name for figures and streams.
    fn name(&self) -> String {
        match (self.queues, self.delayed) {
            (1, 0) => format!("backlog_{}", self.backlog),
            (1, delayed) => format!("delayed_{delayed}"),
            (queues, _) => format!("queues_{queues}"),
        }
    }

    fn all(plan: Plan) -> [Self; 5] {
        let large = plan.mass(100_000, 1_000);
        [
            Self {
                // It is over too soon to be measured once.
                passes: plan.size(15, 3),
                ..Self::new(plan.size(1_000, 200))
            },
            Self::new(large),
            Self::new(plan.mass(1_000_000, 2_000)),
            Self {
                queues: plan.mass(1_000, 10),
                ..Self::new(large)
            },
            Self {
                delayed: large,
                ..Self::new(large)
            },
        ]
    }

    fn names(&self) -> Vec<String> {
        (0..self.queues).map(|n| format!("q{n}")).collect()
    }
}

/// What a job costs in one case, in microseconds of CPU time.
#[derive(Debug, Clone)]
struct Cost {
    name: String,
    naq: f64,
    raw: f64,
}

pub(super) async fn row(stage: &Stage, plan: Plan, bar: &ProgressBar) -> Result<Row, CliError> {
    let mut costs = Vec::new();
    for case in Case::all(plan) {
        bar.set_message(format!("scale: {}", case.name()));
        costs.push(Box::pin(measure(stage, plan, &case)).await?);
    }
    Ok(compare(&costs))
}

/// Both sides of a case, on streams of its own: consumers and jobs of another case would cost this one something.
async fn measure(stage: &Stage, plan: Plan, case: &Case) -> Result<Cost, CliError> {
    let sides = Sides::open(stage, &case.name()).await?;
    let cost = async {
        delay(&sides.naq, case.delayed).await?;
        let naq = naq_cost(stage, &sides.naq, plan, case).await?;
        delay(&sides.raw_jobs, case.delayed).await?;
        let raw = raw_cost(stage, &sides, case).await?;
        Ok(Cost {
            name: case.name(),
            naq,
            raw,
        })
    };
    let cost = Box::pin(cost).await;
    sides.close(stage).await?;
    cost
}

/// The first case is what the others are compared with.
fn compare(costs: &[Cost]) -> Row {
    let (base, raw_base) = costs
        .first()
        .map_or((0.0, 0.0), |first| (first.naq, first.raw));
    let worst = costs.iter().map(|cost| cost.naq).fold(0.0, f64::max);
    let is_flat = costs.iter().all(|cost| {
        let grown = (cost.raw / raw_base).max(1.0);
        cost.naq <= base * FLAT * grown
    });
    let sample = |cost: f64| -> Samples { [cost].into_iter().collect() };
    let row = Row::compared(
        "scale",
        "us of CPU per job",
        &sample(base),
        &sample(worst),
        Target::AtMostRaw(FLAT),
    );
    let row = row.or("within 15 % of the growth of the raw loop", is_flat);
    costs.iter().fold(row, |row, cost| {
        row.with(cost.name.as_str(), cost.naq)
            .with(format!("raw_{}", cost.name), cost.raw)
            .with(format!("growth_{}", cost.name), cost.naq / base)
            .with(format!("raw_growth_{}", cost.name), cost.raw / raw_base)
    })
}

/// CPU time per job of the raw client's loop.
async fn raw_cost(stage: &Stage, sides: &Sides, case: &Case) -> Result<f64, CliError> {
    let (queues, raw) = (case.names(), &sides.raw);
    let mut consumers = Vec::with_capacity(queues.len());
    for queue in &queues {
        consumers.push(raw.consumer(queue).await?);
    }
    let mut passes = Samples::default();
    for _ in 0..case.passes {
        raw.publish_many(&queues, case.backlog).await?;
        let meter = Meter::start(stage)?;
        raw.drain_results(&consumers, case.backlog).await?;
        passes.push(meter.micros()?);
        sides.raw_jobs.results().purge().await?;
    }
    Ok(per_job(passes.median(), case))
}

/// CPU time per job of a worker, less what its start costs.
async fn naq_cost(stage: &Stage, jobs: &Jobs, plan: Plan, case: &Case) -> Result<f64, CliError> {
    let queues = case.names();
    let least = u32::try_from(case.queues).unwrap_or(1000);
    let concurrency = plan.concurrency.max(least);
    // The consumers are made before anything is measured.
    drain(jobs, &queues, 0, concurrency).await?;
    let mut starts = Samples::default();
    for _ in 0..plan.rounds {
        let meter = Meter::start(stage)?;
        drain(jobs, &queues, 0, concurrency).await?;
        starts.push(meter.micros()?);
    }
    let mut passes = Samples::default();
    for _ in 0..case.passes {
        fill(jobs, &queues, case.backlog, true).await?;
        let meter = Meter::start(stage)?;
        drain(jobs, &queues, case.backlog, concurrency).await?;
        passes.push(meter.micros()?);
        jobs.results().purge().await?;
    }
    Ok(per_job(passes.median() - starts.median(), case))
}

#[expect(clippy::cast_precision_loss, reason = "microseconds for people")]
fn per_job(micros: f64, case: &Case) -> f64 {
    micros / case.backlog.max(1) as f64
}

/// CPU time of the servers and of this process since a moment.
struct Meter {
    pids: Vec<u32>,
    before: Duration,
}

impl Meter {
    fn start(stage: &Stage) -> Result<Self, CliError> {
        let mut pids = stage.server_pids();
        pids.push(std::process::id());
        let before = usage::cpu_of(&pids)?;
        Ok(Self { pids, before })
    }

    fn micros(&self) -> Result<f64, CliError> {
        let used = usage::cpu_of(&self.pids)?.saturating_sub(self.before);
        Ok(used.as_secs_f64() * 1e6)
    }
}

/// Drains `count` jobs with one worker; without jobs it only starts, asks on all queues, and stops.
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
    if count == 0 {
        let queues = u32::try_from(queues.len()).unwrap_or(1000);
        tokio::time::sleep(SETTLE.0 + SETTLE.1 * queues).await;
    }
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

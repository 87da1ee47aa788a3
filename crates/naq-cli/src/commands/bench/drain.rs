//! The rows `drain_plain` and `drain_result`: jobs per second that one worker gets through.

use std::time::{Duration, Instant};

use naq::{JobContext, Jobs};

use super::args::Plan;
use super::cost::{Costs, Reading};
use super::enqueue::per_second;
use super::load::{NOOP, Note, fill, noop};
use super::raw::Raw;
use super::row::{Row, Target};
use super::samples::Samples;
use super::stage::Stage;
use crate::error::CliError;
use crate::exit_code;

/// How often the worker is asked how far it is.
const LOOK: Duration = Duration::from_millis(1);
/// Time without an end after which a drain is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(300);
/// Time that a worker gets to stop; nothing runs any more by then.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// Jobs that keep no result.
pub(super) async fn plain(stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let raw = Raw::on(stage).await?;
    let count = plan.size(50_000, 2_000);
    let (mut theirs, mut ours) = (Samples::default(), Samples::default());
    let mut costs = Costs::default();
    for round in 0..plan.rounds {
        let queue = format!("plain-{round}");
        let consumer = raw.consumer(&queue).await?;
        raw.publish_many(std::slice::from_ref(&queue), count)
            .await?;
        let from = Reading::take(stage).await?;
        let start = Instant::now();
        raw.drain_plain(&consumer, count).await?;
        theirs.push(per_second(count, start));
        costs.raw(stage, from, count).await?;
        let queues = std::slice::from_ref(&queue);
        fill(&stage.naq, queues, count, false).await?;
        let from = Reading::take(stage).await?;
        ours.push(empty(&stage.naq, &queue, count, plan.concurrency).await?);
        costs.naq(stage, from, count).await?;
    }
    let target = Target::AtLeastRaw(0.6);
    let row = Row::compared("drain_plain", "jobs/s", &theirs, &ours, target);
    Ok(costs.show(row, stage))
}

/// Jobs whose result is kept.
pub(super) async fn result(stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let raw = Raw::on(stage).await?;
    let count = plan.size(30_000, 2_000);
    let (mut theirs, mut ours) = (Samples::default(), Samples::default());
    let mut costs = Costs::default();
    for round in 0..plan.rounds {
        let queue = format!("result-{round}");
        let consumer = raw.consumer(&queue).await?;
        raw.publish_many(std::slice::from_ref(&queue), count)
            .await?;
        let from = Reading::take(stage).await?;
        let start = Instant::now();
        raw.drain_result(&consumer, count).await?;
        theirs.push(per_second(count, start));
        costs.raw(stage, from, count).await?;
        let queues = std::slice::from_ref(&queue);
        fill(&stage.naq, queues, count, true).await?;
        let from = Reading::take(stage).await?;
        ours.push(empty(&stage.naq, &queue, count, plan.concurrency).await?);
        costs.naq(stage, from, count).await?;
        stage.tidy().await?;
    }
    let target = Target::AtLeastRaw(0.6);
    let row = Row::compared("drain_result", "jobs/s", &theirs, &ours, target);
    Ok(costs.show(row, stage))
}

/// Fills a queue, drains it with one worker in this process, and says how many jobs a second that were.
pub(super) async fn drain(
    jobs: &Jobs,
    queue: &str,
    count: u64,
    concurrency: u32,
    keeps_result: bool,
) -> Result<f64, CliError> {
    fill(jobs, &[queue.to_owned()], count, keeps_result).await?;
    empty(jobs, queue, count, concurrency).await
}

/// Drains a queue with one worker in this process, and says how many jobs a second that were.
pub(super) async fn empty(
    jobs: &Jobs,
    queue: &str,
    count: u64,
    concurrency: u32,
) -> Result<f64, CliError> {
    let start = Instant::now();
    let worker = jobs.worker().queue(queue).concurrency(concurrency);
    let worker = worker.handle(NOOP, async |_: JobContext, _: Note| noop().await);
    let worker = Box::pin(worker.start()).await?;
    while worker.report().completed < count {
        if start.elapsed() > GIVE_UP_AFTER {
            let text = format!(
                "{:?} for {count} jobs: {:?}",
                GIVE_UP_AFTER,
                worker.report()
            );
            return Err(CliError::new(exit_code::INTERNAL, text));
        }
        tokio::time::sleep(LOOK).await;
    }
    let rate = per_second(count, start);
    worker.stop(GRACE).await;
    Ok(rate)
}

//! The rows `enqueue_one` and `enqueue_bulk`: jobs per second that go in.

use std::time::Instant;

use super::args::Plan;
use super::cost::{Costs, Reading};
use super::load::{Note, fill, job};
use super::raw::Raw;
use super::row::{Row, Target};
use super::samples::Samples;
use super::stage::Stage;
use crate::error::CliError;

/// One at a time.
pub(super) async fn one(stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let raw = Raw::on(stage).await?;
    // More than a second for each side: shorter rounds show the scheduler of the machine.
    let count = plan.size(10_000, 200);
    let (mut theirs, mut ours) = (Samples::default(), Samples::default());
    let mut costs = Costs::default();
    for round in 0..plan.rounds {
        let queue = format!("one-{round}");
        let from = Reading::take(stage).await?;
        let start = Instant::now();
        for _ in 0..count {
            raw.publish(&queue, &Note::new(0)).await?;
        }
        theirs.push(per_second(count, start));
        costs.raw(stage, from, count).await?;
        let from = Reading::take(stage).await?;
        let start = Instant::now();
        for _ in 0..count {
            stage.naq.enqueue(job(&queue, true)?).await?;
        }
        ours.push(per_second(count, start));
        costs.naq(stage, from, count).await?;
    }
    let target = Target::AtLeastRaw(0.9);
    let row = Row::compared("enqueue_one", "jobs/s", &theirs, &ours, target);
    Ok(costs.show(row, stage))
}

/// Pipelined.
pub(super) async fn bulk(stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let raw = Raw::on(stage).await?;
    let count = plan.size(30_000, 2_000);
    let (mut theirs, mut ours) = (Samples::default(), Samples::default());
    let mut costs = Costs::default();
    for round in 0..plan.rounds {
        let queue = format!("bulk-{round}");
        let from = Reading::take(stage).await?;
        let start = Instant::now();
        raw.publish_many(std::slice::from_ref(&queue), count)
            .await?;
        theirs.push(per_second(count, start));
        costs.raw(stage, from, count).await?;
        let from = Reading::take(stage).await?;
        let start = Instant::now();
        fill(&stage.naq, &[queue], count, true).await?;
        ours.push(per_second(count, start));
        costs.naq(stage, from, count).await?;
    }
    let target = Target::AtLeastRaw(0.8);
    let row = Row::compared("enqueue_bulk", "jobs/s", &theirs, &ours, target);
    Ok(costs.show(row, stage))
}

/// `count` things since `start`, per second.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
pub(super) fn per_second(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64().max(1e-9)
}

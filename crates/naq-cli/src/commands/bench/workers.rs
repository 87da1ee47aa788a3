//! The row `workers`: four worker processes against one.

use futures::future::try_join_all;

use super::args::Plan;
use super::child::{Said, Worker, now_us};
use super::load::fill;
use super::row::{Row, Target};
use super::samples::Samples;
use super::stage::Stage;
use crate::context::Context;
use crate::error::CliError;

/// Processes of the larger side.
const MANY: usize = 4;
/// Jobs that each process runs at the same time.
const CONCURRENCY: u32 = 100;
/// The share of a process may differ from the mean by so much.
const FAIR: f64 = 0.2;

pub(super) async fn row(context: &Context, stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let count = plan.size(50_000, 2_000);
    let (mut one, mut many, mut unfair) =
        (Samples::default(), Samples::default(), Samples::default());
    for round in 0..plan.rounds {
        let measure = |processes| {
            drain(
                context,
                stage,
                format!("w{processes}-{round}"),
                processes,
                count,
            )
        };
        one.push(Box::pin(measure(1)).await?.0);
        let (rate, off) = Box::pin(measure(MANY)).await?;
        many.push(rate);
        unfair.push(off);
        stage.tidy().await?;
    }
    let off = unfair.median();
    let row = Row::compared("workers", "jobs/s", &one, &many, Target::AtLeastRaw(1.0));
    Ok(row
        .and("shares within 20 %", off <= FAIR)
        .with("largest_difference_of_a_share", off))
}

/// Drains `count` jobs; gives the rate, and how far the most different share is from the mean.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
async fn drain(
    context: &Context,
    stage: &Stage,
    queue: String,
    processes: usize,
    count: u64,
) -> Result<(f64, f64), CliError> {
    fill(&stage.naq, std::slice::from_ref(&queue), count, true).await?;
    let starts =
        (0..processes).map(|_| Worker::start(context, stage, vec![queue.clone()], CONCURRENCY, 10));
    let mut workers = try_join_all(starts).await?;
    let started = now_us();
    for worker in &mut workers {
        worker.go().await?;
    }
    let (mut done, mut ended) = (vec![0; processes], started);
    while done.iter().sum::<u64>() < count {
        let heard = workers.iter_mut().enumerate().map(|(index, worker)| {
            Box::pin(async move { worker.next().await.map(|said| (index, said)) })
        });
        let (heard, _, _) = futures::future::select_all(heard).await;
        if let (index, Said::Progress { done: now, at_us }) = heard? {
            done[index] = now;
            ended = ended.max(at_us);
        }
    }
    for worker in workers {
        worker.stop().await?;
    }
    let mean = count as f64 / processes as f64;
    let off = done
        .iter()
        .map(|share| (*share as f64 - mean).abs() / mean)
        .fold(0.0, f64::max);
    Ok((
        count as f64 / (ended.saturating_sub(started).max(1) as f64 / 1e6),
        off,
    ))
}

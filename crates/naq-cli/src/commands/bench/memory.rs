//! The row `memory`: what a worker process keeps resident while it drains.

use std::time::Duration;

use super::args::Plan;
use super::child::{Said, Worker};
use super::load::fill;
use super::row::{Row, Target};
use super::samples::Samples;
use super::stage::Stage;
use super::usage;
use crate::context::Context;
use crate::error::CliError;

const CONCURRENCY: u32 = 100;
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Growth from the second to the last quarter of the drain that counts as flat.
const FLAT: f64 = 1.1;

pub(super) async fn row(context: &Context, stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let count = plan.mass(1_000_000, 10_000);
    let queue = "memory".to_owned();
    fill(&stage.naq, std::slice::from_ref(&queue), count, true).await?;
    let mut worker = Worker::start(context, stage, vec![queue], CONCURRENCY, 10).await?;
    let at_rest = megabytes(worker.pid)?;
    worker.go().await?;
    let mut seen = Vec::new();
    let (mut done, mut look) = (0, tokio::time::interval(LOOK));
    while done < count {
        tokio::select! {
            said = worker.next() => if let Said::Progress { done: now, .. } = said? { done = now },
            _ = look.tick() => seen.push(megabytes(worker.pid)?),
        }
    }
    worker.stop().await?;
    stage.tidy().await?;
    let quarter = seen.len() / 4;
    let part = |from: usize, to: usize| -> f64 {
        seen.get(from..to)
            .unwrap_or_default()
            .iter()
            .copied()
            .collect::<Samples>()
            .median()
    };
    let (early, late) = (part(quarter, 2 * quarter), part(3 * quarter, seen.len()));
    let peak: Samples = [seen.iter().copied().fold(at_rest, f64::max)]
        .into_iter()
        .collect();
    let is_flat = late <= early * FLAT || seen.len() < 8;
    let row =
        Row::alone("memory", "MB", &peak, Target::Below(30.0)).and("flat within 10 %", is_flat);
    Ok(row
        .with("at_rest", at_rest)
        .with("second_quarter", early)
        .with("last_quarter", late))
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
fn megabytes(pid: u32) -> Result<f64, CliError> {
    Ok(usage::memory(pid)? as f64 / 1e6)
}

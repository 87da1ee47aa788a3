//! The row `idle`: what a worker without jobs costs.

use std::time::Duration;

use super::args::Plan;
use super::child::Worker;
use super::row::{Row, Target};
use super::samples::Samples;
use super::stage::Stage;
use super::usage;
use crate::context::Context;
use crate::error::CliError;

/// Queues of the worker.
const QUEUES: u32 = 10;
/// Time that a worker gets to settle down before it is measured.
const WARM_UP: Duration = Duration::from_secs(3);

pub(super) async fn row(context: &Context, stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let span = Duration::from_secs(plan.size(30, 2));
    let queues = (0..QUEUES).map(|n| format!("idle-{n}")).collect();
    let mut worker = Worker::start(context, stage, queues, QUEUES, 60_000).await?;
    worker.go().await?;
    tokio::time::sleep(WARM_UP).await;
    let servers = stage.server_pids();
    let before = (
        usage::cpu(worker.pid)?,
        usage::cpu_of(&servers)?,
        sent(stage).await,
    );
    tokio::time::sleep(span).await;
    let after = (
        usage::cpu(worker.pid)?,
        usage::cpu_of(&servers)?,
        sent(stage).await,
    );
    worker.stop().await?;
    let percent = |used: Duration| used.as_secs_f64() / span.as_secs_f64() * 100.0;
    let used: Samples = [percent(after.0.saturating_sub(before.0))]
        .into_iter()
        .collect();
    let mut row = Row::alone("idle", "% of a core", &used, Target::Below(0.2))
        .with("server_percent", percent(after.1.saturating_sub(before.1)));
    if let (Some(before), Some(after)) = (before.2, after.2) {
        let rate = (after - before) / span.as_secs_f64();
        // A pull request of a queue lives ten seconds, one of the firings of schedules nine, one of the ends in workflows
        // four and a half; the worker shows itself each fifteen, with a round trip before that.
        let needed = f64::from(QUEUES) / 10.0 + 1.0 / 9.0 + 1.0 / 4.5 + 2.0 / 15.0;
        let is_quiet = rate <= needed * 1.2 + 1.0 / span.as_secs_f64();
        row = row.and("no requests but pull renewals", is_quiet);
        row = row
            .with("messages_per_second", rate)
            .with("pull_renewals_per_second", needed);
    }
    Ok(row)
}

/// Messages that the worker has sent, by the server's count.
async fn sent(stage: &Stage) -> Option<f64> {
    let connz = stage.monitor("/connz").await?;
    let mut all = connz["connections"].as_array()?.iter();
    let worker = all.find(|conn| conn["name"] == "naq-bench-worker")?;
    worker["in_msgs"].as_f64()
}

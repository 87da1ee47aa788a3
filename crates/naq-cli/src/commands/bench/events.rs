//! The row `events`: what a job costs more because it tells what happens to it, and how fast that is read.

use std::time::{Duration, Instant, SystemTime};

use naq::{EventFilter, EventType, JobId, Jobs, StatsBy};

use super::args::Plan;
use super::cost::{Costs, Reading};
use super::drain::empty;
use super::enqueue::per_second;
use super::load::fill;
use super::row::{Row, Target};
use super::samples::Samples;
use super::stage::Stage;
use crate::context::connect;
use crate::error::CliError;

/// Time that the last events may take.
const FLUSH: Duration = Duration::from_secs(10);

/// The same drain, without events (`raw`) and with them.
pub(super) async fn row(stage: &Stage, plan: Plan) -> Result<Row, CliError> {
    let count = plan.size(30_000, 2_000);
    let silent = side(stage, false).await?;
    let telling = side(stage, true).await?;
    let since = SystemTime::now();
    let (mut off, mut on) = (Samples::default(), Samples::default());
    let mut costs = Costs::default();
    for round in 0..plan.rounds * 2 {
        // By turns, so that what the machine does besides hits both.
        for is_telling in [round % 2 == 0, round % 2 != 0] {
            let queue = format!("events-{round}-{is_telling}");
            let jobs = if is_telling { &telling } else { &silent };
            fill(jobs, std::slice::from_ref(&queue), count, true).await?;
            let from = Reading::take(stage).await?;
            let rate = empty(jobs, &queue, count, plan.concurrency).await?;
            if is_telling {
                on.push(rate);
                costs.naq(stage, from, count).await?;
            } else {
                off.push(rate);
                costs.raw(stage, from, count).await?;
            }
            stage.tidy().await?;
        }
    }
    telling.events().flush(FLUSH).await;
    let row = Row::compared("events", "jobs/s", &off, &on, Target::AtLeastRaw(0.95));
    let row = reading(&telling, since, costs.show(row, stage)).await?;
    silent.shutdown().await;
    telling.shutdown().await;
    Ok(row)
}

/// How fast events are read, and how long a question takes.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn reading(jobs: &Jobs, since: SystemTime, row: Row) -> Result<Row, CliError> {
    let events = jobs.events();
    let start = Instant::now();
    let mut replay = events.replay(since, EventFilter::new()).await?;
    let (mut count, mut last) = (0, None);
    while let Some(event) = replay.next().await? {
        count += 1;
        if event.event_type == EventType::Completed {
            last = event.body.job_id;
        }
    }
    let replayed = per_second(count, start);
    let millis = |start: Instant| start.elapsed().as_secs_f64() * 1000.0;
    let start = Instant::now();
    events.stats(24, &[StatsBy::Queue]).await?;
    let stats_ms = millis(start);
    let start = Instant::now();
    if let Some(id) = last.and_then(|id| JobId::new(id).ok()) {
        events.history(&id).await?;
    }
    let history_ms = millis(start);
    let start = Instant::now();
    events.recent(100, EventFilter::new()).await?;
    Ok(row
        .with("events", count as f64)
        .with("replayed_per_second", replayed)
        .with("stats_ms", stats_ms)
        .with("history_ms", history_ms)
        .with("recent_ms", millis(start)))
}

/// NAQ's side over a connection of its own, with or without events.
async fn side(stage: &Stage, has_events: bool) -> Result<Jobs, CliError> {
    let mut settings = stage.naq_settings();
    settings.events.enabled = has_events;
    Box::pin(connect(settings)).await
}

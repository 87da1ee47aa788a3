//! The same operation from many tasks, for a while.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Outcome;

pub(crate) const TASKS: usize = 64;

/// What a task repeats.
pub(crate) trait Operation: Clone + Send + Sync + 'static {
    fn once(&self) -> impl Future<Output = Outcome<()>> + Send;
}

/// Operations a second of [`TASKS`] tasks; each has a clone of its own.
pub(crate) async fn ops_per_second(operation: &impl Operation, span: Duration) -> Outcome<f64> {
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    let end = start + span;
    for _ in 0..TASKS {
        let operation = operation.clone();
        tasks.spawn(async move {
            let mut count = 0_u32;
            while Instant::now() < end {
                operation.once().await?;
                count += 1;
            }
            Outcome::Ok(count)
        });
    }
    let mut total = 0.0;
    while let Some(count) = tasks.join_next().await {
        total += f64::from(count??);
    }
    Ok(total / start.elapsed().as_secs_f64())
}

//! The same operation from many tasks, for a while.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;

use crate::Outcome;

pub(crate) const TASKS: usize = 64;

/// What a task repeats.
pub(crate) trait Operation: Clone + Send + Sync + 'static {
    fn once(&self) -> impl Future<Output = Outcome<()>> + Send;
}

/// How fast operations were.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) per_second: f64,
    /// What one of them cost this process, in nanoseconds of processor time. What else runs on the
    /// machine changes it little.
    pub(crate) cpu: f64,
}

/// The pace of [`TASKS`] tasks; each has a clone of the operation.
pub(crate) async fn pace(operation: &impl Operation, span: Duration) -> Outcome<Pace> {
    let mut tasks = JoinSet::new();
    let (start, spent) = (Instant::now(), processor_time());
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
    let spent = processor_time().saturating_sub(spent);
    Ok(Pace {
        per_second: total / start.elapsed().as_secs_f64(),
        cpu: spent.as_secs_f64() * 1e9 / total,
    })
}

/// What all threads of this process have spent.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

//! How much the server has in store.

use crate::JobsError;
use crate::server::{Link, count};
use crate::wire::{later_patterns, queue_patterns};

/// How much the server has in store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stock {
    /// Jobs that wait or run.
    pub waiting: u64,
    /// Jobs that are due later, retries included.
    pub scheduled: u64,
    /// Outcomes that are kept.
    pub outcomes: u64,
    /// Dead letters.
    pub dead_letters: u64,
}

/// Counts it, without reading it.
pub(super) async fn stock(link: &Link) -> Result<Stock, JobsError> {
    let conn = link.lease("count the jobs").await?;
    let names = link.names();
    let jobs = names.jobs_stream();
    let of_jobs = async |patterns: &[String]| {
        let mut sum = 0;
        for pattern in patterns {
            sum += count(&conn, &jobs, &names.filter(pattern)).await?;
        }
        Ok::<_, JobsError>(sum)
    };
    Ok(Stock {
        waiting: of_jobs(&queue_patterns("*")).await?,
        scheduled: of_jobs(&later_patterns("*")).await?,
        outcomes: count(&conn, &names.results_stream(), &names.result_filter()).await?,
        dead_letters: count(&conn, &names.dead_stream(), &names.dead_filter(None)).await?,
    })
}

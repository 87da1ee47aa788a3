//! Jobs that are kept back until another job has ended.
//!
//! Whoever ends that job looks for them after its outcome is stored; whoever parks one looks for the outcome after it is
//! parked. So one of the two sees the other, and two who release the same job do it once.

use std::time::Duration;

use naq_connection::Connection;

use super::{Why, release};
use crate::JobsError;
use crate::model::{JobId, QueueName};
use crate::server::{Link, last_at_leader, next_at_leader};
use crate::wire::Spot;

/// How soon such a job comes back by itself, should nobody release it: the first time, and at the most.
pub(crate) const AWAITS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// Releases the jobs that were kept back for `ended`.
pub(crate) async fn release_after(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
    ended: &JobId,
) -> Result<(), JobsError> {
    release(conn, link, Some(queue), &Why::after(ended), u64::MAX).await?;
    Ok(())
}

/// Whether `job` has an outcome.
pub(crate) async fn has_outcome(
    conn: &Connection,
    link: &Link,
    job: &JobId,
) -> Result<bool, JobsError> {
    let (stream, subject) = (link.names().results_stream(), link.names().result(job));
    Ok(last_at_leader(conn, &stream, &subject).await?.is_some())
}

/// Whether `job` neither waits nor runs: it has an outcome, or nothing is left of it.
pub(crate) async fn is_over(
    conn: &Connection,
    link: &Link,
    job: &JobId,
) -> Result<bool, JobsError> {
    let (names, stream) = (link.names(), link.names().jobs_stream());
    let mut is_stored = false;
    for filter in names.anywhere(job) {
        let found = next_at_leader(conn, &stream, &filter, 0).await?;
        is_stored |= found.is_some_and(|found| Spot::read(names, &found.subject).is_some());
    }
    Ok(!is_stored || has_outcome(conn, link, job).await?)
}

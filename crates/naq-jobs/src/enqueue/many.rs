//! Enqueues many jobs, pipelined: the next is sent before the last one is confirmed.

use futures::StreamExt;

use super::one::enqueue;
use crate::JobsError;
use crate::model::{Job, JobId};
use crate::server::Link;

/// Jobs that are on their way at the same time.
const WINDOW: usize = 512;

/// One result per job, in the order of the jobs; a refused job does not stop the others.
pub(crate) async fn enqueue_many<R>(
    link: &Link,
    jobs: impl IntoIterator<Item = Job<R>>,
) -> Vec<Result<JobId, JobsError>> {
    let sends = jobs.into_iter().map(|job| enqueue(link, job));
    futures::stream::iter(sends)
        .buffered(WINDOW)
        .collect()
        .await
}

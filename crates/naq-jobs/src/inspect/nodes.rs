//! Jobs of workflows that are to be removed: nobody would ever tell their workflows, so they are cancelled.

use futures::{StreamExt, TryStreamExt};
use naq_connection::Connection;

use crate::cancel::cancel;
use crate::model::JobId;
use crate::server::{Link, Stored, count, page};
use crate::wire::{CancelNotice, Spot, decode};
use crate::{JobsError, JobsErrorKind};

/// Messages that are looked at in one page.
const PAGE: usize = 1000;

/// Jobs that are cancelled at the same time.
const AT_ONCE: usize = 16;

/// Time that a handler gets, should the job begin in this moment.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// Whether the job of this message is a node of a workflow.
pub(super) fn is_node(stored: &Stored) -> bool {
    decode(&stored.payload).is_ok_and(|envelope| envelope.flow.is_some())
}

/// Cancels those under `filter`, from the sequence `from` on; says how many they were. Where no workflow is kept, nothing is
/// read.
pub(super) async fn cancel_nodes(
    conn: &Connection,
    link: &Link,
    filter: &str,
    from: u64,
) -> Result<u64, JobsError> {
    let (names, stream) = (link.names(), link.names().jobs_stream());
    if count(conn, &stream, &names.all_flows()).await? == 0 {
        return Ok(0);
    }
    let (mut cancelled, mut next) = (0_u64, Some(from));
    while let Some(from) = next {
        let part = page(conn, &stream, filter, from, PAGE).await?;
        next = part.next;
        let nodes = part.messages.iter().filter(|stored| is_node(stored));
        let ids = nodes.filter_map(|stored| Some(Spot::read(names, &stored.subject)?.id));
        let ids: Vec<JobId> = ids.collect();
        cancelled += futures::stream::iter(ids)
            .map(|id| async move { cancel_node(link, &id).await })
            .buffer_unordered(AT_ONCE)
            .try_fold(0, async |sum, was_there| Ok(sum + u64::from(was_there)))
            .await?;
    }
    Ok(cancelled)
}

/// Cancels a job that was to be removed; `false` if it had ended before.
pub(super) async fn cancel_node(link: &Link, id: &JobId) -> Result<bool, JobsError> {
    let notice = CancelNotice::new("removed from its queue", GRACE);
    match cancel(link, id, &notice).await {
        Ok(report) => Ok(report.is_cancelled()),
        Err(error) if error.kind() == JobsErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

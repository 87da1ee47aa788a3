//! Where the messages of a job are.

use futures::future::try_join_all;
use naq_connection::Connection;

use super::report::CancelledFrom;
use crate::JobsError;
use crate::model::JobId;
use crate::server::{Link, Stored, next_at_leader};
use crate::wire::{Delivery, FlowNode, Spot, Stage, decode};

/// A message of a job.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) message: Stored,
    pub(super) spot: Spot,
}

/// The messages of a job, as the leader of their stream knows them.
pub(super) async fn find(
    conn: &Connection,
    link: &Link,
    id: &JobId,
) -> Result<Vec<Found>, JobsError> {
    let filters = link.names().anywhere(id);
    let looks = filters.iter().map(|filter| under(conn, link, filter));
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

async fn under(conn: &Connection, link: &Link, filter: &str) -> Result<Vec<Found>, JobsError> {
    let (names, mut from, mut all) = (link.names(), 0, Vec::new());
    while let Some(message) = next_at_leader(conn, &names.jobs_stream(), filter, from).await? {
        from = message.sequence + 1;
        // Other things than jobs have an id as well.
        if let Some(spot) = Spot::read(names, &message.subject) {
            all.push(Found { message, spot });
        }
    }
    Ok(all)
}

impl Found {
    /// Sequence of the outcome that this run of the job may replace.
    pub(super) fn fence(&self) -> u64 {
        Delivery::read(self.message.headers.as_ref()).fence
    }

    /// Attempts that were made before.
    pub(super) fn attempts(&self) -> u32 {
        Delivery::read(self.message.headers.as_ref()).attempts_before
    }

    /// The job's kind and the time that its outcome is kept, if the body can be read.
    pub(super) fn kind_and_ttl(&self) -> (Option<String>, Option<std::time::Duration>) {
        match decode(&self.message.payload) {
            Ok(envelope) => (Some(envelope.kind.to_string()), envelope.result_ttl),
            Err(_) => (None, None),
        }
    }

    /// The node of a workflow that the job is.
    pub(super) fn flow(&self) -> Option<FlowNode> {
        decode(&self.message.payload).ok()?.flow
    }

    /// Whether other jobs may be kept back until it has ended.
    pub(super) fn is_awaited(&self) -> bool {
        decode(&self.message.payload).is_ok_and(|envelope| envelope.is_awaited)
    }

    /// Whether the job is claimed by each run of it.
    pub(super) fn is_strict(&self) -> bool {
        decode(&self.message.payload).is_ok_and(|envelope| envelope.strict)
    }

    pub(super) fn from(&self) -> CancelledFrom {
        match self.spot.stage {
            Stage::Queue(_) => CancelledFrom::Waiting,
            Stage::Later => CancelledFrom::Scheduled,
            Stage::Parked(_) => CancelledFrom::Parked,
        }
    }
}

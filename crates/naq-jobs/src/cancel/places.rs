//! Where the messages of a job are.

use futures::future::try_join_all;
use naq_connection::Connection;

use super::report::CancelledFrom;
use crate::JobsError;
use crate::model::{JobId, QueueName};
use crate::server::{Link, Stored, next_at_leader};
use crate::wire::{Delivery, FlowNode, Stage, decode};

/// A message of a job.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) message: Stored,
    pub(super) stage: Stage,
    pub(super) queue: QueueName,
}

/// The messages of a job, as the leader of their stream knows them; the first one of each kind of place.
pub(super) async fn find(
    conn: &Connection,
    link: &Link,
    id: &JobId,
) -> Result<Vec<Found>, JobsError> {
    let stream = &link.names().jobs_stream();
    let filters = link.names().whereabouts(id);
    let looks = filters
        .iter()
        .map(|filter| next_at_leader(conn, stream, filter, 0));
    let found = try_join_all(looks).await?.into_iter().flatten();
    let known = found.filter_map(|message| {
        let (stage, queue) = link.names().stage(&message.subject)?;
        Some(Found {
            message,
            stage,
            queue,
        })
    });
    Ok(known.collect())
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

    pub(super) fn from(&self) -> CancelledFrom {
        match self.stage {
            Stage::Queue => CancelledFrom::Waiting,
            Stage::Later => CancelledFrom::Scheduled,
            Stage::Parked => CancelledFrom::Parked,
        }
    }
}

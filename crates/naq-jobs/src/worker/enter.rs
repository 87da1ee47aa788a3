//! A queue whose limit counts jobs of several priorities: each has a consumer of its own, so the server cannot count them
//! together, and each job takes a place.

use std::time::Duration;

use naq_connection::Connection;

use super::delivery::Delivered;
use super::holds::Hold;
use super::limits::{Place, Pool};
use super::line::Standing;
use super::runner::Runner;
use super::shared_slots::Slot;
use super::tally::Left;
use crate::control::{News, QueueOrder};
use crate::model::QueueName;
use crate::{JobsError, failpoint};

/// Wait before a place is asked for again after an error.
const PAUSE: Duration = Duration::from_millis(100);

/// By so much each priority comes later than the one above it when several workers are called.
const AFTER_HIGHER: Duration = Duration::from_millis(2);

impl Runner {
    /// Takes a place of the queue, if its jobs need one. Waits for it under the lease, without a slot. `Some`: the job does
    /// not run here; how it left, and whether that is written down.
    pub(super) async fn enter(
        &self,
        job: &mut Delivered,
        hold: &Hold,
        slot: &mut Slot,
    ) -> Result<Option<(Left, bool)>, JobsError> {
        if job.may_be_settled() && self.is_settled(job, hold).await? {
            self.leave(job, hold, Left::Elsewhere).await;
            return Ok(Some((Left::Elsewhere, true)));
        }
        let mut may_be_held = job.may_be_settled();
        let mut standing = None;
        loop {
            let limits = self.steering.limits(&job.queue);
            let Some(pool) = limits.together.map(|limit| Pool::of_queue(job, limit)) else {
                // The limit was taken away meanwhile; the slot is not, so it may have one too many for a moment.
                slot.resume_anyway();
                return Ok(None);
            };
            let may_try = standing.is_some() || self.lines.is_empty(&job.queue);
            if may_try && slot.resume() {
                match self.take_place_of_queue(&pool, job, may_be_held).await {
                    Ok(Some(place)) => {
                        job.places.push(place);
                        failpoint::reach("place-taken");
                        return Ok(None);
                    }
                    Ok(None) => {}
                    Err(error) if error.is_transient() => {
                        // It may be taken, and the answer was lost.
                        may_be_held = true;
                        tracing::debug!(id = %job.id, %error, "a place is asked for again");
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(error) => return Err(error),
                }
            }
            slot.pause();
            let is_new = standing.is_none();
            let standing = standing.get_or_insert_with(|| {
                // It may be cancelled while it waits.
                job.is_suspect = true;
                self.lines.join(&job.queue, (slot.rank(), job.sequence))
            });
            if is_new && may_try {
                // A place that became free just now found nobody in line.
                continue;
            }
            if let Some(left) = self.stand(standing, job, hold).await? {
                return Ok(Some((left, false)));
            }
            if self.steering.order(&job.queue) == QueueOrder::Strict {
                let rank = u32::try_from(slot.rank()).unwrap_or_default();
                tokio::time::sleep(AFTER_HIGHER * rank).await;
            }
        }
    }

    /// Stands in line until it is called, or the call may have been lost. `Some`: how the job left instead.
    async fn stand(
        &self,
        standing: &Standing<'_>,
        job: &Delivered,
        hold: &Hold,
    ) -> Result<Option<Left>, JobsError> {
        tokio::select! {
            biased;
            () = hold.lost().given() => Ok(Some(Left::Abandoned)),
            () = self.stopping.cancelled() => Box::pin(self.hand_back(job, hold)).await.map(Some),
            () = standing.called() => Ok(None),
            () = tokio::time::sleep(job.ack_wait / 3) => Ok(None),
        }
    }

    async fn take_place_of_queue(
        &self,
        pool: &Pool,
        job: &Delivered,
        may_be_held: bool,
    ) -> Result<Option<Place>, JobsError> {
        let conn = self.link.lease("take a place of the queue").await?;
        self.take_place(&conn, pool, job, may_be_held).await
    }

    /// A place of the queue has become free: calls who waits here, and tells the other workers.
    pub(super) async fn call_next(
        &self,
        conn: &Connection,
        queue: &QueueName,
    ) -> Result<(), JobsError> {
        self.lines.call(queue, self.steering.order(queue));
        let body = serde_json::to_vec(&News::Room).unwrap_or_default();
        conn.publish(self.link.names().control(queue), body)
            .await
            .map_err(|e| JobsError::connection("tell of a free place", e))
    }
}

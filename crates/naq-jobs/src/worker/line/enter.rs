//! A queue whose limit counts jobs of several priorities: each has a consumer of its own, so the server cannot count them
//! together, and each job takes a place.

use std::time::Duration;

use async_nats::HeaderMap;
use naq_connection::Connection;

use super::lines::Standing;
use crate::control::{News, QueueOrder};
use crate::model::{Priority, QueueName};
use crate::wire::{decode, headers, text};
use crate::worker::delivery::Delivered;
use crate::worker::holds::Hold;
use crate::worker::limits::Pool;
use crate::worker::runner::Runner;
use crate::worker::shared_slots::Slot;
use crate::worker::tally::Left;
use crate::{JobsError, failpoint};

/// Wait before a place is asked for again after an error.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of asking for a place.
enum Asked {
    /// It has one.
    Got,
    /// All are taken.
    None,
    /// This worker has no slot for it.
    NoSlot,
    /// Nobody answered; it may have one.
    Unanswered,
}

/// What ended the wait.
enum Ended {
    /// It was called.
    Called,
    /// The time is over.
    Waited,
    /// It has left.
    Left(Left),
}

impl Runner {
    /// Takes a place of the queue, if its jobs need one. Waits for it under the lease, without a slot. `Some`: the job does
    /// not run here; how it left, and whether that is written down.
    pub(in crate::worker) async fn enter(
        &self,
        job: &mut Delivered,
        hold: &Hold,
        slot: &mut Slot,
    ) -> Result<Option<(Left, bool)>, JobsError> {
        let entered = self.wait_for_place(job, hold, slot).await;
        self.tell_best(&job.queue).await;
        entered
    }

    async fn wait_for_place(
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
        let mut standing: Option<Standing<'_>> = None;
        let rank = slot.rank();
        let mut may_ask = self.lines.is_empty(&job.queue) && !self.has_better(job, rank);
        loop {
            let Some(limit) = self.steering.limits(&job.queue).together else {
                // The limit was taken away meanwhile; the slot is not, so it may have one too many for a moment.
                slot.resume_anyway();
                return Ok(None);
            };
            let mut wait = job.ack_wait / 3;
            if may_ask {
                match self.ask_for_place(job, limit, slot, may_be_held).await? {
                    Asked::Got => {
                        if let Some(standing) = standing {
                            standing.enters();
                        }
                        return Ok(None);
                    }
                    Asked::None => standing.iter().for_each(Standing::found_none),
                    Asked::NoSlot => {
                        standing.iter().for_each(Standing::has_no_slot);
                        self.without_slot(job, slot).await;
                    }
                    Asked::Unanswered => (may_be_held, wait) = (true, PAUSE),
                }
            }
            slot.pause();
            let Some(stands) = &standing else {
                // A place that became free just now found nobody in line, so who has asked asks once more.
                standing = Some(self.stand_in_line(job, rank, may_ask));
                self.tell_best(&job.queue).await;
                continue;
            };
            may_ask = match self.stand(stands, wait, job, hold).await? {
                Ended::Left(left) => return Ok(Some((left, false))),
                Ended::Called => self.is_still_next(stands, job, rank).await,
                Ended::Waited if wait == PAUSE => true,
                Ended::Waited => {
                    // A call may have been lost.
                    self.lines.look(&job.queue);
                    self.tell_best_again(&job.queue).await;
                    false
                }
            };
        }
    }

    /// Goes in line, and tells it. `may_ask`: it asks for a place right away.
    fn stand_in_line(&self, job: &mut Delivered, rank: usize, may_ask: bool) -> Standing<'_> {
        // It may be cancelled while it waits.
        job.is_suspect = true;
        let order = self.steering.order(&job.queue);
        let standing = (self.lines).join(&job.queue, order, (rank, job.sequence), may_ask);
        if !may_ask && standing.was_empty() {
            // Those whom it saw in line have left it since.
            self.lines.look(&job.queue);
        }
        // Told once, whatever becomes of this delivery.
        if job.deliveries == 1 {
            let kind = decode(&job.message.payload).map(|envelope| envelope.kind.to_string());
            job.kind = kind.ok();
            self.tell_limited(job, "queue", None, None);
        }
        standing
    }

    /// Stands in line until it is called, for `wait` at the most.
    async fn stand(
        &self,
        standing: &Standing<'_>,
        wait: Duration,
        job: &Delivered,
        hold: &Hold,
    ) -> Result<Ended, JobsError> {
        tokio::select! {
            biased;
            () = hold.lost().given() => Ok(Ended::Left(Left::Abandoned)),
            () = self.stopping.cancelled() => {
                Box::pin(self.hand_back(job, hold)).await.map(Ended::Left)
            }
            () = standing.called() => Ok(Ended::Called),
            () = tokio::time::sleep(wait) => Ok(Ended::Waited),
        }
    }

    /// Whether who is called is next, also after it has let better ones pass that wait in other workers.
    async fn is_still_next(&self, standing: &Standing<'_>, job: &Delivered, rank: usize) -> bool {
        if self.steering.order(&job.queue) == QueueOrder::Strict {
            let fresh = job.ack_wait / 2;
            (self.elsewhere)
                .let_pass(&job.queue, Priority::ALL[rank], fresh)
                .await;
        }
        !standing.hands_over()
    }

    /// It was called and had no slot: the others are not to let it pass, and there may be one again by now.
    async fn without_slot(&self, job: &Delivered, slot: &Slot) {
        if slot.has_room() {
            self.lines.slot_is_free();
        }
        self.tell_best(&job.queue).await;
    }

    async fn ask_for_place(
        &self,
        job: &mut Delivered,
        limit: u32,
        slot: &mut Slot,
        may_be_held: bool,
    ) -> Result<Asked, JobsError> {
        if !slot.resume() {
            return Ok(Asked::NoSlot);
        }
        let pool = Pool::of_queue(job, limit);
        match self.take_place(&pool, job, may_be_held).await {
            Ok(Some(place)) => {
                job.places.push(place);
                failpoint::reach("place-taken");
                Ok(Asked::Got)
            }
            Ok(None) => Ok(Asked::None),
            Err(error) if error.is_transient() => {
                tracing::debug!(id = %job.id, %error, "a place is asked for again");
                Ok(Asked::Unanswered)
            }
            Err(error) => Err(error),
        }
    }

    /// A place of the queue has become free: calls who waits here, and tells the other workers.
    pub(in crate::worker) async fn call_next(
        &self,
        conn: &Connection,
        queue: &QueueName,
    ) -> Result<(), JobsError> {
        self.lines.call(queue, self.steering.order(queue));
        let body = serde_json::to_vec(&News::Room).unwrap_or_default();
        let mut fields = HeaderMap::new();
        fields.insert(headers::WORKER, &*self.worker);
        conn.publish_with_headers(self.link.names().control(queue), fields, body)
            .await
            .map_err(|e| JobsError::connection("tell of a free place", e))
    }

    /// A place of `queue` has become free; `fields` say where. Who runs here was called by [`Self::call_next`].
    pub(in crate::worker) fn on_room(&self, queue: &QueueName, fields: Option<&HeaderMap>) {
        if text(fields, headers::WORKER) != Some(&*self.worker) {
            self.lines.call(queue, self.steering.order(queue));
        }
    }
}

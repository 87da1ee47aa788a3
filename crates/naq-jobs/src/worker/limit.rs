//! The limits of a delivered job: books its start, takes and keeps its place.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use naq_config::settings::Rate;
use tokio_util::sync::CancellationToken;

use super::admit::{Parking, Waits};
use super::delivery::Delivered;
use super::holds::Hold;
use super::limits::{Holder, Place, Pool};
use super::runner::Runner;
use super::sleep::Sleep;
use super::tally::Left;
use crate::control::{News, TakenOver, push};
use crate::parked::Why;
use crate::server::now_ms;
use crate::wire::{Counted, headers, text};
use crate::{JobsError, failpoint};

/// How soon a job that found no place comes back by itself, should nobody release it: the first time, and at the most.
const NO_PLACE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// The limits of a queue that are looked at for each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct QueueLimits {
    /// Jobs of the queue, if it has several priorities, see `line/enter.rs`.
    pub(super) together: Option<u32>,
    pub(super) per_key: Option<u32>,
    pub(super) rate: Option<Rate>,
    pub(super) rate_per_key: Option<Rate>,
}

impl QueueLimits {
    /// Whether there are any.
    pub(super) fn is_any(self) -> bool {
        self != Self::default()
    }
}

impl Runner {
    /// Puts the job aside if a limit asks for it; else it has what it needs to run.
    pub(super) async fn admit_by_limits(
        &self,
        job: &mut Delivered,
        kind: &str,
        hold: &Hold,
    ) -> Result<Option<Left>, JobsError> {
        let limits = self.steering.limits(&job.queue);
        let is_booked = text(job.message.headers.as_ref(), headers::BOOKED).is_some();
        if !is_booked && self.book(job, hold, limits).await? {
            return Ok(Some(Left::Limited));
        }
        let pools = self.pools(job, kind, limits);
        for (index, pool) in pools.iter().enumerate() {
            if let Some(left) = Box::pin(self.occupy(job, hold, pool)).await? {
                if job.was_parked {
                    // It may have been released for a place of those that it does not come to now.
                    self.pass_on_surely(job, hold, &pools[index + 1..]).await?;
                }
                return Ok(Some(left));
            }
        }
        Ok(None)
    }

    /// Takes a place, or parks the job until one is free. A place that it has of another pool is given back then, as by each
    /// job that leaves.
    async fn occupy(
        &self,
        job: &mut Delivered,
        hold: &Hold,
        pool: &Pool,
    ) -> Result<Option<Left>, JobsError> {
        let is_again = job.may_be_settled();
        if let Some(place) = self.take_place(pool, job, is_again).await? {
            job.places.push(place);
            failpoint::reach("place-taken");
            return Ok(None);
        }
        let (why, limit, key) = match &pool.counted {
            Counted::Kind(kind) => (Why::kind_limit(kind), "kind", None),
            Counted::Key(_, key) => (Why::key(key), "per_key", Some(key.as_str())),
            // Its jobs wait in line, see `line/enter.rs`.
            Counted::Queue(_) => return Ok(None),
        };
        let waits = Waits::of(job, &why);
        let mut parking = Parking::new(&why, waits, waits.delay(NO_PLACE));
        let limits = self.steering.limits(&job.queue);
        if limits.rate.is_some() || limits.rate_per_key.is_some() {
            parking.more.insert(headers::BOOKED, now_ms().to_string());
        }
        self.park(job, hold, parking).await?;
        // Released and without a place again, it is no news.
        if waits.times == 0 {
            self.tell_limited(job, limit, key, None);
        }
        // A place may have become free in between, and who freed it found nobody.
        self.pass_on_surely(job, hold, std::slice::from_ref(pool))
            .await?;
        Ok(Some(Left::Limited))
    }

    /// Books the start of the job; `true` if that is later, and the job sleeps until then.
    async fn book(
        &self,
        job: &Delivered,
        hold: &Hold,
        limits: QueueLimits,
    ) -> Result<bool, JobsError> {
        let names = self.link.names();
        let mut rates = Vec::new();
        if let (Some(rate), Some(key)) = (limits.rate_per_key, job.limit_key()) {
            rates.push((names.bucket(&job.queue, Some(key)), rate));
        }
        if let Some(rate) = limits.rate {
            rates.push((names.bucket(&job.queue, None), rate));
        }
        if rates.is_empty() {
            return Ok(false);
        }
        let conn = self.link.lease("book a start").await?;
        let Some(due) = self.buckets.book(&conn, &self.link, &rates).await? else {
            return Ok(false);
        };
        failpoint::reach("start-booked");
        let mut more = HeaderMap::new();
        more.insert(headers::BOOKED, now_ms().to_string());
        let sleep = Sleep {
            subject: names.sleep(&job.message.subject, &job.queue, &job.id),
            due: Some(due),
            message_id: format!("{}:{}:booked", job.id, job.sequence),
            retries_done: job.retries_done,
            attempts: job.attempt().saturating_sub(1),
            headers: more,
        };
        self.settler(job, hold).sleep(sleep).await?;
        self.tell_limited(job, "rate", job.limit_key(), Some(due));
        Ok(true)
    }

    /// Takes a place for the job. The worker that had it before is told, should it be there: that happens when a server was
    /// killed, and has forgotten that the lease was renewed.
    pub(super) async fn take_place(
        &self,
        pool: &Pool,
        job: &Delivered,
        may_be_held: bool,
    ) -> Result<Option<Place>, JobsError> {
        let conn = self.link.lease("take a place").await?;
        let holder = Holder {
            job: job.id.clone(),
            worker: Arc::clone(&self.worker),
        };
        let place = pool.take(&conn, &self.link, &holder, may_be_held).await?;
        if place.as_ref().is_some_and(|place| place.is_taken_over) {
            let news = News::TakenOver(TakenOver {
                id: job.id.to_string(),
                sequence: job.sequence,
                worker: self.worker.to_string(),
            });
            // Should the other one not hear it, it finds out when it renews the place.
            if let Err(error) = push(&self.link, self.link.names().control(&job.queue), news).await
            {
                tracing::debug!(id = %job.id, %error, "could not tell that a job was taken over");
            }
        }
        Ok(place)
    }

    /// The pools that the job needs a place of: that of its limit key, and of its kind.
    pub(super) fn pools(&self, job: &Delivered, kind: &str, limits: QueueLimits) -> Vec<Pool> {
        let key = limits.per_key.and_then(|limit| {
            let key = job.limit_key()?.to_owned();
            Some((Counted::Key(job.queue.clone(), key), limit))
        });
        let of_kind = self.steering.limit_of_kind(kind);
        let of_kind = of_kind.map(|limit| (Counted::Kind(kind.to_owned()), limit));
        let pool = |(counted, limit)| Pool {
            counted,
            limit,
            ack_wait: job.ack_wait,
        };
        key.into_iter().chain(of_kind).map(pool).collect()
    }

    /// Keeps the place of a job until `done`, or until another worker has both. A renewal is not broken off, so that its
    /// answer is known.
    pub(super) async fn keep_place(
        &self,
        place: &mut Place,
        hold: &Hold,
        done: &CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = done.cancelled() => return,
                () = tokio::time::sleep(place.pause()) => {}
            }
            let renewed = async {
                let conn = self.link.lease("keep a place").await?;
                place.renew(&conn, &self.link).await
            };
            match renewed.await {
                Ok(true) => {}
                Ok(false) => return hold.give_up(),
                Err(error) => {
                    tracing::debug!(%error, "a place could not be kept; it is tried again");
                }
            }
        }
    }
}

//! Places that are given back, and who is let in for them.

use naq_connection::Connection;

use super::delivery::Delivered;
use super::holds::Hold;
use super::limits::{Place, Pool};
use super::runner::Runner;
use super::tally::Left;
use crate::parked::{Why, release};
use crate::wire::Counted;
use crate::{JobsError, failpoint};

impl Runner {
    /// Gives back the places of a job that is over here, and lets go on who waits for them. A job whose lease has lapsed keeps
    /// them: its next delivery takes them over.
    pub(super) async fn leave_places(&self, job: &mut Delivered, hold: &Hold, left: Left) {
        if hold.has_lapsed() {
            return;
        }
        let places = std::mem::take(&mut job.places);
        let done = match places.is_empty() {
            false => self.free_places(job, hold, &places).await,
            // A delivery before this one may have held a place, and not have come so far.
            true if job.may_be_settled() && !matches!(left, Left::Parked | Left::Limited) => {
                self.free_places_of(job, hold).await
            }
            true => return,
        };
        if let Err(error) = done {
            tracing::warn!(id = %job.id, %error, "a place is left to expire");
        }
    }

    /// Tried again while the lease lasts: a place that is left to expire would keep others out for as long.
    async fn free_places(
        &self,
        job: &Delivered,
        hold: &Hold,
        places: &[Place],
    ) -> Result<(), JobsError> {
        let settler = self.settler(job, hold);
        for place in places {
            settler
                .persist_under_lease(|conn| async move { place.free(&conn, &self.link).await })
                .await?;
            failpoint::reach("place-freed");
            settler
                .persist_under_lease(|conn| async move { self.let_in(&conn, &place.pool, 1).await })
                .await?;
            failpoint::reach("next-released");
        }
        Ok(())
    }

    async fn free_places_of(&self, job: &Delivered, hold: &Hold) -> Result<(), JobsError> {
        let limits = self.steering.limits(&job.queue);
        let queue = limits.together.map(|limit| Pool::of_queue(job, limit));
        let kind = job.kind.as_deref().unwrap_or_default();
        let settler = self.settler(job, hold);
        for pool in queue.into_iter().chain(self.pools(job, kind, limits)) {
            let pool = &pool;
            settler
                .persist_under_lease(|conn| async move {
                    pool.free_of(&conn, &self.link, &job.id).await?;
                    self.pass_on(&conn, std::slice::from_ref(pool)).await
                })
                .await?;
        }
        Ok(())
    }

    /// Lets up to `most` jobs go on that wait for a place.
    async fn let_in(&self, conn: &Connection, pool: &Pool, most: u64) -> Result<(), JobsError> {
        let (queue, why) = match &pool.counted {
            Counted::Queue(queue) => return self.call_next(conn, queue).await,
            Counted::Key(queue, key) => (Some(queue), Why::key(key)),
            Counted::Kind(kind) => (None, Why::kind_limit(kind)),
        };
        release(conn, &self.link, queue, &why, most).await.map(drop)
    }

    /// Lets in as many as there are free places.
    async fn pass_on(&self, conn: &Connection, pools: &[Pool]) -> Result<(), JobsError> {
        for pool in pools {
            let free = pool.free(conn, &self.link).await?.len();
            let most = u64::try_from(free).unwrap_or(u64::MAX);
            self.let_in(conn, pool, most).await?;
        }
        Ok(())
    }

    /// As [`Self::pass_on`], tried again: those who wait would else do so until they come back by themselves.
    pub(super) async fn pass_on_surely(
        &self,
        job: &Delivered,
        hold: &Hold,
        pools: &[Pool],
    ) -> Result<(), JobsError> {
        self.settler(job, hold)
            .persist(|conn| async move { self.pass_on(&conn, pools).await })
            .await
    }
}

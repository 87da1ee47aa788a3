//! Jobs that are kept back until another one has ended, seen from a worker.

use super::admit::{Parking, Waits};
use super::delivery::Delivered;
use super::holds::Hold;
use super::runner::Runner;
use super::tally::Left;
use crate::model::JobId;
use crate::parked::{AWAITS, Why, is_over, release_after};
use crate::wire::{decode, headers, text};
use crate::{JobsError, failpoint};

impl Runner {
    /// Releases what was kept back for `job`, if that has ended.
    ///
    /// This comes after the outcome and before the acknowledgement: should the worker die in between, the job is
    /// delivered again, found settled, and they are released then.
    pub(super) async fn release_heirs(&self, job: &Delivered, left: Left) -> Result<(), JobsError> {
        let has_ended = matches!(
            left,
            Left::Completed | Left::Failed | Left::Cancelled | Left::Elsewhere
        );
        let is_awaited = || decode(&job.message.payload).is_ok_and(|envelope| envelope.is_awaited);
        if !has_ended || !(job.is_awaited || is_awaited()) {
            return Ok(());
        }
        failpoint::reach("awaited-job-ended");
        let conn = self.link.lease("release a job that was kept back").await?;
        release_after(&conn, &self.link, &job.queue, &job.id).await?;
        failpoint::reach("heir-released");
        Ok(())
    }

    /// Parks a job again that has come back by itself while the one before it has not ended.
    pub(super) async fn admit_after(
        &self,
        job: &Delivered,
        hold: &Hold,
    ) -> Result<Option<Left>, JobsError> {
        let other = text(job.message.headers.as_ref(), headers::AFTER);
        let Some(other) = other.and_then(|id| JobId::new(id).ok()) else {
            return Ok(None);
        };
        let conn = self.link.lease("look for the job before this one").await?;
        if is_over(&conn, &self.link, &other).await? {
            return Ok(None);
        }
        let why = Why::after(&other);
        let waits = Waits::of(job, &why);
        let mut parking = Parking::new(&why, waits, waits.delay(AWAITS));
        parking.more.insert(headers::AFTER, other.as_str());
        self.park(job, hold, parking).await?;
        // It may have ended in between, and whoever ended it have found nobody.
        if is_over(&conn, &self.link, &other).await? {
            release_after(&conn, &self.link, &job.queue, &other).await?;
        }
        Ok(Some(Left::Parked))
    }
}

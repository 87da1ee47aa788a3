//! When a job may run, and until when.

use std::time::{Duration, SystemTime};

use super::{Due, Job};

impl<R> Job<R> {
    /// Runs the job not before `delay` from now. The server's schedule fires 1 to 261 ms late, never early.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Some(Due::In(delay));
        self
    }

    /// Runs the job not before `time`.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.due = Some(Due::At(time));
        self
    }

    /// Cancels the job if it has not started `after` from now: it ends as cancelled, reason `expired`, without a dead
    /// letter. Retries of one that has started in time go on; one whose worker died does not start again. By the clocks
    /// of the sender and of the worker.
    #[must_use]
    pub fn expires_in(mut self, after: Duration) -> Self {
        self.expires = Some(Due::In(after));
        self
    }

    /// As [`Self::expires_in`], at a moment.
    #[must_use]
    pub fn expires_at(mut self, time: SystemTime) -> Self {
        self.expires = Some(Due::At(time));
        self
    }

    /// Time over all attempts and the waits between them, from when the job is due; default: no limit. At its end the
    /// running attempt is ended, no retry that would start later is made, and the job fails with the reason `deadline`.
    #[must_use]
    pub fn deadline(mut self, within: Duration) -> Self {
        self.deadline = Some(within);
        self
    }

    /// When the time over all attempts is up, for a job that is enqueued `now`.
    pub(crate) fn deadline_from(&self, now: SystemTime) -> Option<SystemTime> {
        let due = self.due.map_or(now, |due| due.instant(now)).max(now);
        due.checked_add(self.deadline?)
    }
}

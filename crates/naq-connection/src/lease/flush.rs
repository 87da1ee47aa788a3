//! Confirmed flush: every message of this lease so far has been read by the server, or an error.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Connection;
use super::deadline::end;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::link::{Patience, SILENCE, lost};

/// No message of the lease waits for a confirmation.
pub(super) const CLEAN: u64 = u64::MAX;

impl Connection {
    /// Waits until the server has read everything that this lease published, within
    /// `flush_timeout`.
    ///
    /// One round trip; it also covers messages of an earlier, lost connection: if some of this
    /// lease's were not confirmed by then, the answer is `ConnectionLost`, once, even if all is
    /// well again.
    ///
    /// # Errors
    /// `ConnectionLost`: some messages published in that epoch may be lost; repeating the flush
    /// does not bring them back. `Deadline`: not known yet; a later flush may tell. `Closed` or
    /// `ReconnectsExhausted`: the client has ended and with it what it had not sent.
    pub async fn flush_confirmed(&self) -> Result<(), ConnectionError> {
        self.flush_confirmed_within(self.link.flush_timeout).await
    }

    /// As [`flush_confirmed`](Self::flush_confirmed), within `deadline`.
    ///
    /// # Errors
    /// As [`flush_confirmed`](Self::flush_confirmed).
    pub async fn flush_confirmed_within(&self, deadline: Duration) -> Result<(), ConnectionError> {
        let start = Instant::now();
        let end = end(start, deadline);
        let patience = Patience::default();
        let mut flush = pin!(self.flush(&patience));
        // One timer for both: the time for the quick answer, then the deadline.
        let mut timer = pin!(sleep_until(end.min(start + SILENCE)));
        loop {
            tokio::select! {
                biased;
                outcome = &mut flush => {
                    return outcome.inspect(|()| self.link.meter().flushed(start.elapsed()));
                }
                () = &mut timer => {}
            }
            if timer.deadline() >= end {
                return Err(late(deadline));
            }
            patience.end();
            timer.as_mut().reset(end);
        }
    }

    /// Notes that a message went to the client in `epoch`. After the fact: a flush that begins
    /// after the publish has returned must see it.
    pub(super) fn mark_unconfirmed(&self, epoch: u64) {
        if self.unconfirmed_since.load(Ordering::SeqCst) > epoch {
            self.unconfirmed_since.fetch_min(epoch, Ordering::SeqCst);
        }
    }

    async fn flush(&self, patience: &Patience) -> Result<(), ConnectionError> {
        let epoch = self.link.connected_epoch().await?;
        // Taken before the probe: what is published meanwhile sets it anew.
        let mark = Mark::take(&self.unconfirmed_since);
        if mark.epoch < epoch {
            let epoch = mark.settle();
            return Err(lost(epoch));
        }
        let outcome = self.link.confirm_in(epoch, patience).await;
        // A loss is told once. Anything else that failed leaves the question open.
        let told = |error: &ConnectionError| {
            matches!(error.kind(), ConnectionErrorKind::ConnectionLost { .. })
        };
        if outcome.as_ref().err().is_none_or(told) {
            mark.settle();
        }
        outcome
    }
}

fn late(deadline: Duration) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::Deadline {
            operation: Operation::Flush,
        },
        format!("the server confirmed nothing for {deadline:?}"),
    )
}

/// Puts the mark back unless the question was settled, also when the flush is cancelled.
struct Mark<'a> {
    cell: &'a AtomicU64,
    epoch: u64,
}

impl<'a> Mark<'a> {
    fn take(cell: &'a AtomicU64) -> Self {
        let epoch = cell.swap(CLEAN, Ordering::SeqCst);
        Self { cell, epoch }
    }

    fn settle(mut self) -> u64 {
        std::mem::replace(&mut self.epoch, CLEAN)
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.cell.fetch_min(self.epoch, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_flush_puts_the_mark_back_and_the_older_one_wins() {
        let cell = AtomicU64::new(3);
        let mark = Mark::take(&cell);
        cell.store(5, Ordering::SeqCst);
        drop(mark);
        assert_eq!(cell.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_settled_flush_leaves_newer_marks_alone() {
        let cell = AtomicU64::new(3);
        let mark = Mark::take(&cell);
        cell.store(5, Ordering::SeqCst);
        assert_eq!(mark.settle(), 3);
        assert_eq!(cell.load(Ordering::SeqCst), 5);
    }
}

//! Hears of cancelled jobs, and remembers them for a short time: a delivery that was on its way may be read later.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Message;
use naq_connection::{Connection, Subscription};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::holds::Holds;
use super::verdict::Verdict;
use crate::JobsError;
use crate::model::JobId;
use crate::server::Link;
use crate::wire::{CancelAnswer, CancelNotice, FailureReason, JobFailure, Names};

/// Cancels that are remembered, and for how long.
const MEMORY: (usize, Duration) = (1024, Duration::from_secs(10));

/// Wait before trying to listen again.
const PAUSE: Duration = Duration::from_millis(200);

/// The cancels of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Cancels {
    recent: Mutex<VecDeque<(Instant, JobId, CancelNotice)>>,
    /// Whether there ever was one: jobs look at this before they ask for the lock.
    any: AtomicBool,
}

impl Cancels {
    /// Listens until `stop`.
    pub(super) async fn keep(
        &self,
        link: &Link,
        holds: &Holds,
        worker: &str,
        stop: &CancellationToken,
    ) {
        loop {
            let listened = tokio::select! {
                () = stop.cancelled() => return,
                listened = self.listen(link, holds, worker) => listened,
            };
            if let Err(error) = listened {
                tracing::debug!(%error, "cancels cannot be heard");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Listens until the client ends; the subscription itself survives reconnects.
    async fn listen(&self, link: &Link, holds: &Holds, worker: &str) -> Result<(), JobsError> {
        let context = "listen for cancels";
        let conn = link.lease(context).await?;
        let mut told: Subscription = conn
            .subscribe(link.names().cancel_filter())
            .await
            .map_err(|e| JobsError::connection(context, e))?;
        while let Some(message) = told.next().await {
            self.on_message(&conn, holds, worker, &message).await;
        }
        Ok(())
    }

    async fn on_message(&self, conn: &Connection, holds: &Holds, worker: &str, message: &Message) {
        let Some(id) = Names::parse_cancel(&message.subject) else {
            return;
        };
        let notice = CancelNotice::read(&message.payload);
        // Remembered first: a job shows itself as running and then looks here, so one of the two sees the other.
        self.remember(id.clone(), notice.clone());
        let Some(attempt) = holds.cancel(&id, &notice) else {
            return;
        };
        tracing::info!(%id, reason = notice.reason, "job cancelled while it runs");
        if let Some(reply) = &message.reply {
            let answer = CancelAnswer {
                worker: worker.to_owned(),
                attempt,
            };
            let body = serde_json::to_vec(&answer).unwrap_or_default();
            // Should it be lost, the caller does not know where the job was; it is cancelled all the same.
            drop(conn.publish(reply.clone(), body).await);
        }
    }

    fn remember(&self, id: JobId, notice: CancelNotice) {
        let now = Instant::now();
        let mut recent = self.lock();
        while recent.len() >= MEMORY.0
            || recent
                .front()
                .is_some_and(|(at, ..)| now.duration_since(*at) > MEMORY.1)
        {
            recent.pop_front();
        }
        recent.push_back((now, id, notice));
        self.any.store(true, Ordering::SeqCst);
    }

    /// The notice of a job that was cancelled just now.
    fn recent(&self, id: &JobId) -> Option<CancelNotice> {
        if !self.any.load(Ordering::SeqCst) {
            return None;
        }
        let now = Instant::now();
        let recent = self.lock();
        let found = recent
            .iter()
            .rev()
            .find(|(at, known, _)| known == id && now.duration_since(*at) <= MEMORY.1);
        found.map(|(_, _, notice)| notice.clone())
    }

    /// How a job ends that was cancelled just now, before it could start.
    pub(super) fn verdict(&self, id: &JobId) -> Option<Verdict> {
        let reason = self.recent(id)?.reason;
        let failure = JobFailure::new(FailureReason::Cancelled, reason);
        Some(Verdict::Cancel(failure))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, JobId, CancelNotice)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> JobId {
        JobId::new(format!("job-{n}")).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded_in_number_and_time() {
        let cancels = Cancels::default();
        assert_eq!(cancels.recent(&id(0)), None);
        for n in 0..=MEMORY.0 {
            cancels.remember(id(n), CancelNotice::default());
        }
        assert_eq!(cancels.lock().len(), MEMORY.0);
        assert_eq!(cancels.recent(&id(0)), None, "the oldest has gone");
        assert!(cancels.recent(&id(1)).is_some());
        tokio::time::advance(MEMORY.1 + Duration::from_millis(1)).await;
        assert_eq!(cancels.recent(&id(1)), None, "too old");
        cancels.remember(id(7), CancelNotice::default());
        assert_eq!(cancels.lock().len(), 1);
    }
}

//! Hears of cancelled jobs, and remembers them for a short time: a delivery that was on its way may be read later.
//!
//! A cancel is pushed once. Who was not connected then has missed it, so at each new connection the outcomes of the jobs
//! that run are looked at: that of a cancelled one is there before the push is sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Message;
use futures::TryStreamExt;
use futures::stream::iter;
use naq_connection::{Connection, Subscription};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::JobContext;
use super::holds::Holds;
use super::verdict::Verdict;
use crate::JobsError;
use crate::model::JobId;
use crate::results::parse;
use crate::server::{Link, last_at_leader};
use crate::wire::{CancelAnswer, CancelNotice, FailureReason, JobFailure, Names, Status};

/// Cancels that are remembered, and for how long.
const MEMORY: (usize, Duration) = (1024, Duration::from_secs(10));

/// Wait before trying to listen again.
const PAUSE: Duration = Duration::from_millis(200);

/// Outcomes that are looked at together.
const LOOKS: usize = 64;

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
        let mut states = conn.states();
        let mut epoch = None;
        let mut told: Subscription = conn
            .subscribe(link.names().cancel_filter())
            .await
            .map_err(|e| JobsError::connection(context, e))?;
        loop {
            let state = *states.borrow_and_update();
            if state.is_connected() && epoch.replace(state.epoch) != Some(state.epoch) {
                make_up(&conn, link, holds).await?;
            }
            tokio::select! {
                message = told.next() => match message {
                    Some(message) => self.on_message(&conn, holds, worker, &message).await,
                    None => return Ok(()),
                },
                changed = states.changed() => if changed.is_err() {
                    return Ok(());
                },
            }
        }
    }

    async fn on_message(&self, conn: &Connection, holds: &Holds, worker: &str, message: &Message) {
        let Some(id) = Names::parse_cancel(&message.subject) else {
            return;
        };
        let notice = CancelNotice::read(&message.payload);
        if !notice.ask {
            // Remembered first: a job shows itself as running and then looks here, so one of the two sees the other.
            self.remember(id.clone(), notice.clone());
        }
        let Some(running) = holds.attempt_of(&id) else {
            return;
        };
        if !notice.ask {
            tell(&running, &notice);
        }
        if let Some(reply) = &message.reply {
            let answer = CancelAnswer {
                worker: worker.to_owned(),
                attempt: running.attempt(),
            };
            let body = serde_json::to_vec(&answer).unwrap_or_default();
            // Should it be lost, the caller does not know where the job is; it is cancelled all the same.
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

/// Tells the handler of a running job.
fn tell(running: &JobContext, notice: &CancelNotice) {
    tracing::info!(id = %running.id(), reason = notice.reason, "job cancelled while it runs");
    running.cancel(notice);
}

/// Cancels the running jobs whose outcome says so. Nothing is asked if none runs, as at the start of a worker.
async fn make_up(conn: &Connection, link: &Link, holds: &Holds) -> Result<(), JobsError> {
    let running = holds.running();
    if running.is_empty() {
        return Ok(());
    }
    let context = "look for cancels that were missed";
    // From here on the server knows the subscription: a later cancel is heard.
    let known = conn.flush_confirmed().await;
    known.map_err(|e| JobsError::connection(context, e))?;
    let ids: Vec<JobId> = running
        .into_iter()
        .filter_map(|job| JobId::new(job.job_id).ok())
        .collect();
    iter(ids.into_iter().map(Ok))
        .try_for_each_concurrent(LOOKS, async |id| {
            if let Some(notice) = missed(conn, link, &id).await? {
                tracing::info!(%id, "the cancel of a running job was missed");
                if let Some(running) = holds.attempt_of(&id) {
                    tell(&running, &notice);
                }
            }
            Ok(())
        })
        .await
}

/// What the outcome of a job says, if that is `cancelled`. Nobody has stored the grace: it is the usual one.
async fn missed(
    conn: &Connection,
    link: &Link,
    id: &JobId,
) -> Result<Option<CancelNotice>, JobsError> {
    let (stream, subject) = (link.names().results_stream(), link.names().result(id));
    let outcome = last_at_leader(conn, &stream, &subject).await?;
    let outcome = outcome.and_then(|found| parse(&subject, &found.payload).ok());
    Ok(outcome
        .filter(|outcome| outcome.status == Status::Cancelled)
        .map(|outcome| {
            let reason = outcome.error.map(|error| error.message);
            CancelNotice::because(reason.unwrap_or_default())
        }))
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

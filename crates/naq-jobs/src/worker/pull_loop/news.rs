//! What a loop of a queue hears and reads about it: settings, pauses, the lease time, jobs that nobody gets.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Message;
use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use naq_connection::Connection;
use tokio::time::Instant;

use super::PullLoop;
use crate::JobsError;
use crate::control::{News, QueueSetting, Versioned, apply_pause, hear, read_queue, terms};
use crate::model::{JobId, Priority};
use crate::server::{
    Found, ensure_consumer, ensure_streams, find_consumer, hurried, passed_by, restock_level,
};
use crate::worker::puller::{Event, Puller, Timing};
use crate::worker::runner::Runner;
use crate::worker::steering::Source;

/// Wait for an answer of a first look: in an election there may be none.
const ANSWER: Duration = Duration::from_secs(1);

/// After so long it is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the server has of the queue, where it could be read.
pub(super) struct Looked {
    /// Looks before this one that were in vain.
    failures: u32,
    setting: Result<Versioned<QueueSetting>, JobsError>,
    consumer: Result<Option<Found>, JobsError>,
}

/// The look that is under way, if one is.
pub(super) type Looking = OptionFuture<BoxFuture<'static, Looked>>;

impl PullLoop {
    /// Looks at what nobody may have heard of, beside the jobs: after `failures` in vain a moment later, and with more patience.
    pub(super) fn looking(&self, conn: &Connection, failures: u32) -> Looking {
        let (link, queue) = (self.runner.link.clone(), self.queue.clone());
        let (conn, priority) = (conn.clone(), self.priority);
        let looked = async move {
            let conn = match failures {
                0 => hurried(conn, ANSWER),
                _ => {
                    tokio::time::sleep(AGAIN).await;
                    conn
                }
            };
            Looked {
                failures,
                setting: read_queue(&conn, &link, &queue).await,
                consumer: find_consumer(&conn, &link, (&queue, priority)).await,
            }
        };
        Some(looked.boxed()).into()
    }

    /// Follows what was found; looks again if something could not be read.
    pub(super) async fn on_looked(
        &mut self,
        conn: &Connection,
        looked: Looked,
        puller: &mut Puller,
    ) -> Looking {
        let runner = Arc::clone(&self.runner);
        // Nor did anybody hear of a place that became free.
        runner.lines.look(&self.queue);
        let (mut is_done, queue) = (true, self.queue.clone());
        match looked.setting {
            Ok(setting) => runner.steering.set_queue(&queue, setting, Source::Read),
            Err(error) => {
                tracing::debug!(%queue, %error, "could not read what is set");
                is_done = false;
            }
        }
        match looked.consumer {
            Ok(Some(found)) if !found.is_whole => self.mend(conn, puller).await,
            Ok(Some(found)) => {
                self.set_lease_time(found.lease_time, puller);
                self.pause_as_set(conn, found.is_paused).await;
            }
            Ok(None) => self.give_back(puller.on(Event::Missing, Instant::now())),
            Err(error) => {
                tracing::debug!(%queue, %error, "could not read the lease time");
                is_done = false;
            }
        }
        match is_done {
            true => None.into(),
            false => self.looking(conn, looked.failures + 1),
        }
    }

    /// Something about the queue has changed; `true` if it has to be looked up.
    pub(super) fn on_news(&mut self, news: &Message) -> bool {
        match hear(&news.payload) {
            Some(News::Queue(pushed)) => {
                let setting = pushed.into();
                self.runner
                    .steering
                    .set_queue(&self.queue, setting, Source::Push);
                self.runner.lines.look(&self.queue);
            }
            // All loops of the queue hear it, and one place is free.
            Some(News::Room | News::InLine(_)) if self.priority != Priority::Normal => {}
            Some(News::Room) => self.runner.on_room(&self.queue, news.headers.as_ref()),
            Some(News::InLine(told)) => self.runner.on_in_line(&self.queue, told),
            Some(News::Parked(job)) => {
                if self.runner.registry.knows(&job.kind) {
                    self.runner.steering.hint(&self.queue, job);
                }
            }
            // The own takeover is heard, too.
            Some(News::TakenOver(job)) => {
                let is_elsewhere = job.worker != *self.runner.worker;
                if let (true, Ok(id)) = (is_elsewhere, JobId::new(job.id)) {
                    self.runner.holds.give_up(&id, job.sequence);
                }
            }
            // Its consumer is another one.
            _ => return true,
        }
        false
    }

    /// Looks for jobs that the consumer has passed by, if it is time.
    pub(super) async fn look_behind(&mut self, conn: &Connection) {
        if !self.behind.is_due(Instant::now()) {
            return;
        }
        let (link, level) = (&self.runner.link, (&self.queue, self.priority));
        let looked = tokio::select! {
            () = self.runner.stopping.cancelled() => return,
            looked = passed_by(conn, link, level) => looked,
        };
        let (now, is_working) = (Instant::now(), self.slots.with(|s| s.is_working(self.lane)));
        let restocked = match looked.map(|found| self.behind.saw(found, is_working, now)) {
            Ok(Some(sequence)) => restock_level(conn, link, level, sequence).await,
            nothing => nothing.map(drop),
        };
        if let Err(error) = restocked {
            tracing::debug!(queue = %self.queue, %error, "could not look for jobs that nobody gets");
            self.behind.failed(now);
        }
    }

    /// Pauses or resumes the consumer, should that have been left half done.
    async fn pause_as_set(&self, conn: &Connection, is_paused: bool) {
        let Runner { link, steering, .. } = &*self.runner;
        if steering.queue(&self.queue).paused.is_some() == is_paused {
            return;
        }
        let applied = async {
            let setting = read_queue(conn, link, &self.queue).await?;
            apply_pause(conn, link, &self.queue, setting).await
        };
        match applied.await {
            Ok(setting) => steering.set_queue(&self.queue, setting, Source::Read),
            Err(error) => {
                tracing::debug!(queue = %self.queue, %error, "could not pause or resume the queue");
            }
        }
    }

    /// A worker of an older version has started and given the streams and the consumer the form that it knows.
    async fn mend(&mut self, conn: &Connection, puller: &mut Puller) {
        let Runner { link, steering, .. } = &*self.runner;
        let terms = terms(link, &self.queue, &steering.queue(&self.queue));
        let mended = async {
            ensure_streams(link).await?;
            ensure_consumer(conn, link, (&self.queue, self.priority), terms).await
        };
        match mended.await {
            Ok((_, lease_time)) => {
                tracing::warn!(queue = %self.queue, "a worker of an older version runs beside this one");
                self.set_lease_time(lease_time, puller);
            }
            // The next news, or the next connection, leads here again.
            Err(error) => {
                tracing::warn!(queue = %self.queue, %error, "could not mend the consumer");
            }
        }
    }

    pub(super) fn set_lease_time(&mut self, ack_wait: Duration, puller: &mut Puller) {
        self.consumer.1 = ack_wait;
        puller.set_timing(Timing::of(ack_wait));
        self.runner.holds.set_ack_wait(&self.queue, ack_wait);
    }
}

//! The task that sends: one per process, for as long as somebody records.
//!
//! ```text
//!   first event ──► GATHERING ── flush_interval, full batch, asked ──► SENDING ──► sent
//!                        ▲                                               │ failed
//!                        └──────────── put back, a pause ◄───────────────┘
//! ```

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use futures::{StreamExt, stream};
use naq_config::Settings;
use naq_connection::{
    Connection, ConnectionError, ConnectionErrorKind, ConnectionService, Events as Connections,
    Missed,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::connections::tell_connection;
use super::counters::Counters;
use super::measure::measure;
use crate::events::{Batch, Pipe, Taken};
use crate::server::{Link, ensure_event_streams};
use crate::wire::Names;

/// Publishes that are under way at the same time.
const AT_ONCE: usize = 32;

/// Pauses after a failure: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Time that the last flush gets, when nobody records any more.
pub(crate) const LAST_FLUSH: Duration = Duration::from_secs(2);

/// Sends what was recorded.
pub(super) struct Outbox {
    pipe: Arc<Pipe>,
    /// Not a link: that would keep the recorder alive, and so this task.
    service: ConnectionService,
    names: Names,
    settings: Settings,
    counters: Counters,
    /// First part of the message ids: another one in each process.
    process: String,
    pause: Duration,
}

/// Starts the task, if events are enabled.
pub(crate) fn start_outbox(link: &Link) {
    link.events().start(|pipe| {
        let process = ulid::Ulid::generate().to_string();
        let outbox = Outbox {
            pipe,
            service: link.service().clone(),
            names: link.names().clone(),
            settings: link.settings().clone(),
            counters: Counters::new(process.clone()),
            process,
            pause: PAUSE.0,
        };
        let connections = link.service().events();
        outbox.run(connections)
    });
}

impl Outbox {
    async fn run(mut self, connections: Connections) {
        let (pipe, interval) = (Arc::clone(&self.pipe), self.settings.events.flush_interval);
        let mut flush_at: Option<Instant> = None;
        let mut connections = Some(connections);
        loop {
            let (mut all, mut is_asked) = (false, false);
            let due = flush_at.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = pipe.stopped() => break,
                () = pipe.asked() => (all, is_asked) = (true, true),
                () = sleep_until(due), if flush_at.is_some() => all = true,
                () = pipe.woken() => {
                    flush_at.get_or_insert(Instant::now() + interval);
                }
                event = heard(&mut connections) => {
                    tell_connection(&pipe, event);
                    continue;
                }
            }
            if !all && self.pause > PAUSE.0 {
                // The server did not take the last ones: the clock decides.
                continue;
            }
            if all {
                flush_at = None;
            }
            let is_sent = tokio::select! {
                is_sent = self.send(all) => is_sent,
                () = given_up(&pipe) => false,
            };
            if !is_sent {
                flush_at = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(PAUSE.1);
            } else if is_asked {
                pipe.all_sent();
            }
        }
        let is_sent = timeout(LAST_FLUSH, self.send(true)).await == Ok(true);
        tracing::debug!(is_sent, "no more events");
        pipe.all_sent();
    }

    /// Sends what is ready; whether all of it is stored. What is not is put back.
    async fn send(&mut self, all: bool) -> bool {
        let Taken {
            mut batches,
            counts,
        } = self.pipe.take(all);
        measure(&mut batches, &counts);
        self.counters.add(&self.names, counts);
        if batches.is_empty() && (!all || self.counters.is_empty()) {
            return true;
        }
        let mut sent = self.try_send(&mut batches, all).await;
        if is_no_stream(&sent) {
            // Nobody has needed the streams yet, or somebody has deleted them.
            sent = match self.ensure().await {
                true => self.try_send(&mut batches, all).await,
                false => sent,
            };
        }
        match sent {
            Ok(()) => {
                self.pause = PAUSE.0;
                true
            }
            Err(error) => {
                if self.pause == PAUSE.0 {
                    tracing::warn!(%error, "events wait: the server does not take them; jobs go on");
                }
                self.pipe.put_back(batches);
                false
            }
        }
    }

    /// Sends; what is stored is taken out of `batches`.
    async fn try_send(
        &mut self,
        batches: &mut Vec<Batch>,
        all: bool,
    ) -> Result<(), ConnectionError> {
        let conn = self.service.connection().await?;
        let ready = std::mem::take(batches);
        // Collected first: a stream of borrowing closures is no `Send` future. Boxed, since they are moved.
        let sends: Vec<_> = ready
            .iter()
            .map(|batch| Box::pin(self.publish(&conn, batch)))
            .collect();
        let answers: Vec<_> = stream::iter(sends).buffered(AT_ONCE).collect().await;
        let (mut failed, mut left) = (Ok(()), Vec::new());
        for (batch, answer) in ready.into_iter().zip(answers) {
            match answer {
                Ok(()) => {}
                Err(error) if *error.kind() == ConnectionErrorKind::PayloadTooLarge => {
                    tracing::warn!(
                        events = batch.events,
                        "events dropped: `max_payload` is too small"
                    );
                }
                Err(error) => {
                    failed = Err(error);
                    left.push(batch);
                }
            }
        }
        *batches = left;
        failed?;
        if all {
            self.counters.send(&conn).await?;
        }
        Ok(())
    }

    async fn publish(&self, conn: &Connection, batch: &Batch) -> Result<(), ConnectionError> {
        let group = &batch.group;
        let parts = [
            group.event_type.as_str(),
            &group.queue,
            &group.kind,
            &group.worker,
            batch.job.as_deref().unwrap_or("_"),
        ];
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{}-{}", self.process, batch.number));
        let subject = self.names.event(&self.settings.events, parts);
        conn.publish_acked(subject, headers, body(batch))
            .await
            .map(drop)
    }

    async fn ensure(&self) -> bool {
        let Ok(conn) = self.service.connection().await else {
            return false;
        };
        let made = ensure_event_streams(&conn, &self.names, &self.settings).await;
        if let Err(error) = &made {
            tracing::warn!(%error, "there is no stream for events");
        }
        made.is_ok()
    }
}

/// What a connection tells next; never, once the service has ended.
async fn heard(connections: &mut Option<Connections>) -> Result<naq_connection::Event, Missed> {
    if let Some(listening) = connections {
        if let Some(event) = listening.next().await {
            return event;
        }
        *connections = None;
    }
    std::future::pending().await
}

/// Completes when nobody records any more, and the last flush has had its time.
async fn given_up(pipe: &Pipe) {
    pipe.stopped().await;
    tokio::time::sleep(LAST_FLUSH).await;
}

fn is_no_stream(sent: &Result<(), ConnectionError>) -> bool {
    let kind = sent.as_ref().map_err(ConnectionError::kind);
    matches!(kind, Err(ConnectionErrorKind::NoResponders))
}

/// The body of the message: what the group has in common, and its events.
fn body(batch: &Batch) -> Vec<u8> {
    let group = &batch.group;
    // Names of queues, kinds and workers have no character that JSON escapes.
    let head = format!(
        r#"{{"v":1,"type":"{}","queue":"{}","kind":"{}","worker":"{}","events":["#,
        group.event_type, group.queue, group.kind, group.worker
    );
    let mut body = Vec::with_capacity(head.len() + batch.entries.len() + 2);
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(&batch.entries);
    body.extend_from_slice(b"]}");
    body
}

//! The loop that takes firings of recurring schedules: each worker asks for some, and handles what it gets.

use std::time::Duration;

use async_nats::{HeaderMap, Message};
use naq_connection::{Connection, Phase, Subscription};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pull_loop::{classify, nanos};
use super::puller::{Event, Puller, Timing};
use crate::schedule::{Fired, fire};
use crate::server::{Link, ensure_fires_consumer, repair_streams};
use crate::wire::{Names, headers, text};
use crate::{JobsError, JobsErrorKind};

/// Firings that one request asks for.
const BATCH: u32 = 100;

/// How long more firings are waited for once one is there: they cost the server little together.
const GATHER: Duration = Duration::from_millis(5);

/// Longest wait of the loop when nothing is to be expected.
const IDLE: Duration = Duration::from_secs(5);

/// Takes firings.
pub(super) struct FireLoop {
    link: Link,
    stopping: CancellationToken,
    timing: Timing,
}

struct Inbox {
    conn: Connection,
    subject: String,
    replies: Subscription,
    epoch: u64,
}

impl FireLoop {
    pub(super) fn new(link: Link, stopping: CancellationToken) -> Self {
        let timing = Timing::of(IDLE);
        Self {
            link,
            stopping,
            timing,
        }
    }

    /// Handles firings until the worker stops. Ends with an error only if the connection cannot be had at all.
    pub(super) async fn run(mut self) -> Result<(), JobsError> {
        let mut puller = Puller::new(self.timing, Instant::now());
        // Made at the first request.
        puller.on(Event::Missing, Instant::now());
        let stopping = self.stopping.clone();
        loop {
            let opened = tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                inbox = self.open() => inbox,
            };
            match opened {
                Ok(inbox) => {
                    puller.on(Event::Reconnected, Instant::now());
                    // Should the connection be lost for good, the queues say so.
                    if self.epoch(inbox, &mut puller).await {
                        return Ok(());
                    }
                }
                Err(error) if error.is_transient() => {
                    puller.failed(Instant::now());
                    let wake = puller.wake_at(Instant::now()).unwrap_or_else(Instant::now);
                    tokio::select! {
                        () = stopping.cancelled() => return Ok(()),
                        () = tokio::time::sleep_until(wake) => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn open(&self) -> Result<Inbox, JobsError> {
        let context = "listen for firings";
        let conn = self.link.lease(context).await?;
        let epoch = conn.state().epoch;
        let subject = conn.new_inbox();
        let replies = conn.subscribe(subject.clone()).await;
        let replies = replies.map_err(|e| JobsError::connection(context, e))?;
        Ok(Inbox {
            conn,
            subject,
            replies,
            epoch,
        })
    }

    /// Works over one connection epoch; whether it was the last one.
    async fn epoch(&mut self, mut inbox: Inbox, puller: &mut Puller) -> bool {
        let mut states = inbox.conn.states();
        let stopping = self.stopping.clone();
        loop {
            self.ask(&inbox, puller).await;
            let now = Instant::now();
            let wake = puller.wake_at(now).unwrap_or(now + IDLE);
            tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    self.drain(inbox, puller).await;
                    return true;
                }
                changed = states.changed() => {
                    let state = *states.borrow_and_update();
                    if matches!(state.phase, Phase::Failed { .. }) {
                        return true;
                    }
                    if changed.is_err() || state.epoch != inbox.epoch || !state.is_connected() {
                        return false;
                    }
                }
                message = inbox.replies.next() => match message {
                    Some(message) => self.on_message(&mut inbox, message, puller).await,
                    None => return false,
                },
                () = tokio::time::sleep_until(wake) => {
                    puller.tick(Instant::now());
                }
            }
        }
    }

    /// Makes the consumer again if it is missing, and asks for firings.
    async fn ask(&mut self, inbox: &Inbox, puller: &mut Puller) {
        if puller.is_missing(Instant::now()) {
            match ensure_fires_consumer(&inbox.conn, &self.link).await {
                Ok(ack_wait) => {
                    self.timing = Timing::of(ack_wait);
                    puller.set_timing(self.timing);
                    puller.found(Instant::now());
                }
                Err(error) => {
                    if error.kind() == JobsErrorKind::Unavailable {
                        drop(repair_streams(&self.link).await);
                    }
                    tracing::warn!(%error, "the schedules have no consumer");
                    puller.failed(Instant::now());
                    return;
                }
            }
        }
        if !puller.may_ask(Instant::now()) || !puller.rests() {
            return;
        }
        puller.asked(BATCH, Instant::now());
        let timing = self.timing;
        let request = serde_json::json!({
            "batch": BATCH,
            "expires": nanos(timing.expires),
            "idle_heartbeat": nanos(timing.heartbeat),
        });
        let stream = self.link.names().jobs_stream();
        let consumer = Names::FIRES_CONSUMER;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        let sent = inbox.conn.publish_with_reply(
            subject,
            inbox.subject.clone(),
            HeaderMap::new(),
            request.to_string(),
        );
        if let Err(error) = sent.await {
            tracing::warn!(%error, "could not ask for firings");
            puller.failed(Instant::now());
        }
    }

    /// Withdraws the request, and handles what was already on its way.
    async fn drain(&self, mut inbox: Inbox, puller: &mut Puller) {
        if inbox.replies.drain().await.is_err() {
            return;
        }
        let until = Instant::now() + Duration::from_secs(1);
        while let Ok(Some(message)) = tokio::time::timeout_at(until, inbox.replies.next()).await {
            self.on_message(&mut inbox, message, puller).await;
        }
    }

    /// Handles a message, and with a firing the others that come right after it.
    async fn on_message(&self, inbox: &mut Inbox, message: Message, puller: &mut Puller) {
        let mut fired = Vec::new();
        let mut next = Some(message);
        let until = Instant::now() + GATHER;
        while let Some(message) = next.take() {
            let event = classify(&message);
            puller.on(event, Instant::now());
            match event {
                Event::Job => match read(&message) {
                    Some(firing) => fired.push(firing),
                    None => refuse(&inbox.conn, &message).await,
                },
                _ if fired.is_empty() => return,
                _ => {}
            }
            if fired.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                let more = tokio::time::timeout_at(until, inbox.replies.next());
                next = more.await.ok().flatten();
            }
        }
        match fire(&self.link, &inbox.conn, fired).await {
            Ok(jobs) => tracing::debug!(jobs, "schedules fired"),
            Err(error) => tracing::warn!(%error, "firings will be delivered again"),
        }
    }
}

/// Takes a message away that names no schedule, so that it does not come again and again.
async fn refuse(conn: &Connection, message: &Message) {
    tracing::warn!(subject = %message.subject, "a firing of no schedule is dropped");
    if let Some(reply) = &message.reply {
        // Should this be lost, it comes again.
        drop(conn.publish(reply.clone(), "+ACK").await);
    }
}

/// The firing in a message of the consumer; without a turn of ours it has turn 0, which is always stale.
fn read(message: &Message) -> Option<Fired> {
    let turn = text(message.headers.as_ref(), headers::TURN);
    Some(Fired {
        name: Names::parse_schedule(&message.subject)?,
        turn: turn.and_then(|turn| turn.parse().ok()).unwrap_or(0),
        reply: message.reply.as_ref()?.to_string(),
    })
}

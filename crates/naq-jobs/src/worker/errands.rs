//! The loop that takes what is for any worker, whatever its queues: each asks for some, and handles what it gets.

use std::time::Duration;

use async_nats::Message;
use futures::FutureExt;
use naq_connection::{Connection, Phase};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::inbox::{Inbox, Request, classify};
use super::puller::{Event, Puller, Timing};
use crate::server::{Link, repair_streams};
use crate::{JobsError, JobsErrorKind};

/// What is done with the messages of one consumer.
pub(super) trait Errand: Send + Sync + 'static {
    /// What a message says.
    type Item: Send;

    /// For the log.
    const WHAT: &'static str;
    /// The durable consumer.
    const CONSUMER: &'static str;
    /// Messages that one request asks for.
    const BATCH: u32;
    /// How long more messages are waited for once one is there.
    const GATHER: Duration;

    /// Makes the consumer, or updates it; says its lease time.
    fn ensure(
        &self,
        conn: &Connection,
        link: &Link,
    ) -> impl Future<Output = Result<Duration, JobsError>> + Send;

    /// Reads a message; `None` if it says nothing.
    fn read(message: &Message) -> Option<Self::Item>;

    /// Handles messages, and acknowledges what needs not come again.
    fn handle(
        &self,
        link: &Link,
        conn: &Connection,
        items: Vec<Self::Item>,
    ) -> impl Future<Output = ()> + Send;
}

/// Longest wait of the loop when nothing is to be expected.
const IDLE: Duration = Duration::from_secs(5);

/// Takes the messages of an errand.
pub(super) struct ErrandLoop<E> {
    errand: E,
    link: Link,
    stopping: CancellationToken,
    timing: Timing,
}

impl<E: Errand> ErrandLoop<E> {
    pub(super) fn new(errand: E, link: Link, stopping: CancellationToken) -> Self {
        let timing = Timing::of_errand(IDLE);
        Self {
            errand,
            link,
            stopping,
            timing,
        }
    }

    /// Handles messages until the worker stops. Ends with an error only if the connection cannot be had at all.
    pub(super) async fn run(mut self) -> Result<(), JobsError> {
        let mut puller = Puller::new(self.timing, Instant::now());
        // Made at the first request.
        puller.on(Event::Missing, Instant::now());
        let stopping = self.stopping.clone();
        loop {
            let opened = tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                inbox = Inbox::open(&self.link, "listen for work") => inbox,
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

    /// Makes the consumer again if it is missing, and asks for messages.
    async fn ask(&mut self, inbox: &Inbox, puller: &mut Puller) {
        if puller.is_missing(Instant::now()) {
            match self.errand.ensure(&inbox.conn, &self.link).await {
                Ok(ack_wait) => {
                    self.timing = Timing::of_errand(ack_wait);
                    puller.set_timing(self.timing);
                    puller.found(Instant::now());
                }
                Err(error) => {
                    if error.kind() == JobsErrorKind::Unavailable {
                        drop(repair_streams(&self.link).await);
                    }
                    tracing::warn!(%error, what = E::WHAT, "no consumer");
                    puller.failed(Instant::now());
                    return;
                }
            }
        }
        if !puller.may_ask(Instant::now()) || !puller.rests() {
            return;
        }
        puller.asked(E::BATCH, false, Instant::now());
        let request = Request::open(E::BATCH, self.timing);
        let sent = inbox.ask(&self.link, E::CONSUMER, &request);
        if let Err(error) = sent.await {
            tracing::warn!(%error, what = E::WHAT, "could not ask for work");
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

    /// Handles a message, and with it the others that come right after it.
    async fn on_message(&self, inbox: &mut Inbox, message: Message, puller: &mut Puller) {
        let mut items = Vec::new();
        let mut next = Some(message);
        let until = Instant::now() + E::GATHER;
        while let Some(message) = next.take() {
            let event = classify(&message);
            puller.on(event, Instant::now());
            match event {
                Event::Job => match E::read(&message) {
                    Some(item) => items.push(item),
                    None => refuse(&inbox.conn, &message).await,
                },
                _ if items.is_empty() => return,
                _ => {}
            }
            if items.len() < usize::try_from(E::BATCH).unwrap_or(usize::MAX) {
                next = match inbox.replies.next().now_or_never() {
                    Some(more) => more,
                    None if E::GATHER.is_zero() => None,
                    None => {
                        let more = tokio::time::timeout_at(until, inbox.replies.next());
                        more.await.ok().flatten()
                    }
                };
            }
        }
        self.errand.handle(&self.link, &inbox.conn, items).await;
    }
}

/// Takes a message away that says nothing, so that it does not come again and again.
async fn refuse(conn: &Connection, message: &Message) {
    tracing::warn!(subject = %message.subject, "a message that says nothing is dropped");
    if let Some(reply) = &message.reply {
        // Should this be lost, it comes again.
        drop(conn.publish(reply.clone(), "+ACK").await);
    }
}

//! Messages of the stream of events, in their order, each once: a consumer, and another one behind the last message
//! whenever something is odd about the first.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::session::{Item, Next, Plan, Session, Start};
use crate::server::{ApiError, Link, call, ensure_event_streams, refused};
use crate::{JobsError, JobsErrorKind};

/// Pauses before another consumer is made: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Reads messages.
pub(super) struct Feed {
    link: Link,
    plan: Plan,
    start: Start,
    session: Option<Session>,
    pause: Duration,
    /// When a reader that has an end gives up, without a message until then.
    patience: Duration,
}

#[derive(Deserialize)]
struct StreamInfo {
    state: StreamState,
}

#[derive(Deserialize)]
struct StreamState {
    last_seq: u64,
}

impl Feed {
    pub(super) fn new(link: Link, plan: Plan, start: Start) -> Self {
        let patience = link.settings().nats.request_timeout * 3;
        Self {
            link,
            plan,
            start,
            session: None,
            pause: PAUSE.0,
            patience,
        }
    }

    /// The next message; `None` at the end of the stream, if it is bounded. Cancel safe.
    ///
    /// Goes on after each loss; a bounded one gives up in time, and so does one that is refused.
    pub(super) async fn next(&mut self) -> Result<Option<Item>, JobsError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let session = match &mut self.session {
                Some(session) => session,
                None => match Box::pin(self.open()).await {
                    Ok(session) => self.session.insert(session),
                    Err(error) => {
                        let is_late = self.plan.is_bounded && Instant::now() > deadline;
                        if is_late || !error.is_transient() {
                            return Err(error);
                        }
                        tracing::debug!(%error, "reading events is tried again");
                        tokio::time::sleep(self.pause).await;
                        self.pause = (self.pause * 2).min(PAUSE.1);
                        continue;
                    }
                },
            };
            match session.next().await {
                Next::Item(item) => {
                    self.start = Start::Sequence(item.sequence + 1);
                    self.pause = PAUSE.0;
                    return Ok(Some(item));
                }
                Next::End => {
                    self.leave().await;
                    return Ok(None);
                }
                Next::Lost => self.session = None,
            }
        }
    }

    /// Nobody reads any more, or not before another call.
    pub(super) async fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.leave().await;
        }
    }

    /// Opens the consumer now, so that a refusal is known and nothing is missed from here on.
    pub(super) async fn prepare(&mut self) -> Result<(), JobsError> {
        self.session = Some(self.open().await?);
        Ok(())
    }

    /// Acknowledges a message, or asks for more time; of a durable consumer.
    pub(super) async fn answer(&self, reply: &str, word: &'static str) {
        if let Some(session) = &self.session {
            session.answer(reply, word).await;
        }
    }

    async fn open(&self) -> Result<Session, JobsError> {
        let conn = self.link.lease("read events").await?;
        match Session::open(conn.clone(), &self.plan, self.start).await {
            Err(error) if error.kind() == JobsErrorKind::Unavailable => {
                ensure_event_streams(&conn, self.link.names(), self.link.settings()).await?;
                Session::open(conn, &self.plan, self.start).await
            }
            opened => opened,
        }
    }
}

/// The sequence of the newest message; 0 if there is none, or no stream.
pub(super) async fn newest(link: &Link) -> Result<u64, JobsError> {
    let conn = link.lease("read events").await?;
    let stream = link.names().events_stream(&link.settings().events);
    match call::<StreamInfo>(&conn, &format!("STREAM.INFO.{stream}"), &()).await? {
        Ok(found) => Ok(found.state.last_seq),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => Ok(0),
        Err(error) => Err(refused("read events", error)),
    }
}

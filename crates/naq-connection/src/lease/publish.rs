//! Plain publishes: at most once.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, PublishError, PublishErrorKind};
use bytes::Bytes;
use futures::poll;
use tokio::time::{Instant, timeout};

use super::Connection;
use super::given::Given;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::link::{Link, size};

impl Connection {
    /// Hands a message to the client for sending, within `request_timeout`.
    ///
    /// `Ok` means accepted here, not received there: what is under way when a connection drops is
    /// lost. [`flush_confirmed`](Self::flush_confirmed) tells. While the connection is down,
    /// messages wait for it, up to `max_pending_bytes` and `max_pending_messages`.
    ///
    /// # Errors
    /// `Deadline` when the client could not accept it in time, or when `max_pending_bytes` were
    /// waiting to be sent all that time (safe to retry: it was not accepted),
    /// `InvalidSubject`, `PayloadTooLarge`; `Closed` or `ReconnectsExhausted` when the client has
    /// ended (acquire a new lease).
    pub async fn publish(
        &self,
        subject: impl ToSubject,
        payload: impl Into<Bytes>,
    ) -> Result<(), ConnectionError> {
        let epoch = self.link.epoch_of_next()?;
        let (client, subject, payload) = (&self.link.client, subject.to_subject(), payload.into());
        let size = subject.len() + payload.len();
        let accepted = pin!(client.publish(Given::new(subject), payload));
        let deadline = self.request_timeout();
        let handed = hand_over(&self.link, size, accepted, deadline).await?;
        self.accepted_in(epoch, handed);
        Ok(())
    }

    /// As [`publish`](Self::publish), with headers.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
    ) -> Result<(), ConnectionError> {
        self.publish_within(subject, headers, payload, self.request_timeout())
            .await
    }

    /// As [`publish_with_headers`](Self::publish_with_headers), within `deadline`.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_within(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<(), ConnectionError> {
        let epoch = self.link.epoch_of_next()?;
        let (client, subject, payload) = (&self.link.client, subject.to_subject(), payload.into());
        let size = size(&subject, &headers, &payload);
        let subject = Given::new(subject);
        let accepted = pin!(async {
            if headers.is_empty() {
                client.publish(subject, payload).await
            } else {
                client.publish_with_headers(subject, headers, payload).await
            }
        });
        let handed = hand_over(&self.link, size, accepted, deadline).await?;
        self.accepted_in(epoch, handed);
        Ok(())
    }

    /// The client has taken a message, to send it in `epoch`.
    fn accepted_in(&self, epoch: u64, handed: Handed) {
        self.link.count_publish();
        if handed == Handed::Late {
            self.link.meter().published_late();
        }
        self.mark_unconfirmed(epoch);
    }
}

/// How the client took a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handed {
    AtOnce,
    /// Somebody had to wait for it.
    Late,
}

/// Waits until there is room for the message, and until the client has taken it.
pub(super) async fn hand_over(
    link: &Link,
    size: usize,
    mut accepted: Pin<&mut impl Future<Output = Result<(), PublishError>>>,
    deadline: Duration,
) -> Result<Handed, ConnectionError> {
    // Most often all goes through at once; then no clock is read, and nothing large is moved.
    let room = link.room_now(size);
    if room && let Poll::Ready(outcome) = poll!(accepted.as_mut()) {
        return match outcome {
            Ok(()) => Ok(Handed::AtOnce),
            Err(error) => Err(refused(link, error)),
        };
    }
    let start = Instant::now();
    // Boxed: a message that has to wait can bear an allocation, the others a large future less.
    let later = Box::pin(async {
        if !room {
            link.room(size).await?;
        }
        let outcome = accepted.await;
        outcome.map_err(|error| refused(link, error))
    });
    let outcome = timeout(deadline, later).await;
    link.meter().published(start.elapsed());
    outcome.unwrap_or_else(|_elapsed| Err(late(deadline)))?;
    Ok(Handed::Late)
}

/// The error of a message that was not queued.
pub(super) fn late(deadline: Duration) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::Deadline {
            operation: Operation::Publish,
        },
        format!("the client accepted nothing for {deadline:?}"),
    )
}

pub(super) fn refused(link: &Link, error: PublishError) -> ConnectionError {
    let kind = match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => ConnectionErrorKind::PayloadTooLarge,
        PublishErrorKind::InvalidSubject => ConnectionErrorKind::InvalidSubject,
        PublishErrorKind::Send => return link.closed(),
    };
    ConnectionError::with_source(kind, error.to_string(), error)
}

//! Subscriptions: a stream of messages that is a lease too.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::subject::ToSubject;
use async_nats::{Message, SubscribeError, SubscribeErrorKind, Subscriber};
use futures::{Stream, StreamExt};
use tokio::time::timeout;

use super::Connection;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::link::Link;

/// Messages of a subject, as a [`Stream`]; ends when the client ends.
///
/// Survives reconnects; what is published while the connection is down is missed. Holds a lease, so
/// shutdown waits for it. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    // Before the lease: unsubscribing needs the client.
    messages: Subscriber,
    lease: Connection,
}

impl Connection {
    /// Subscribes to a subject, within `request_timeout`.
    ///
    /// `Ok` means that the client sends it before everything that this lease does next;
    /// [`flush_confirmed`](Self::flush_confirmed) waits until the server knows.
    ///
    /// # Errors
    /// `InvalidSubject`; `Deadline` when the client could not accept it (safe to retry); `Closed` or
    /// `ReconnectsExhausted` when the client has ended (acquire a new lease).
    pub async fn subscribe(
        &self,
        subject: impl ToSubject,
    ) -> Result<Subscription, ConnectionError> {
        let accepted = self.link.client.subscribe(subject);
        self.subscribed(accepted).await
    }

    /// Subscribes as a member of a group: each message goes to one of its members.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn queue_subscribe(
        &self,
        subject: impl ToSubject,
        group: impl Into<String>,
    ) -> Result<Subscription, ConnectionError> {
        let accepted = self.link.client.queue_subscribe(subject, group.into());
        self.subscribed(accepted).await
    }

    async fn subscribed(
        &self,
        accepted: impl Future<Output = Result<Subscriber, SubscribeError>>,
    ) -> Result<Subscription, ConnectionError> {
        self.link.refuse_ended(self.link.state())?;
        let deadline = self.request_timeout();
        match timeout(deadline, accepted).await {
            Ok(Ok(messages)) => Ok(Subscription {
                messages,
                lease: self.clone_here(),
            }),
            Ok(Err(error)) => Err(refused(&self.link, error)),
            Err(_elapsed) => Err(late(deadline)),
        }
    }
}

impl Subscription {
    /// The next message; `None` when the client has ended. Cancel safe: no message is lost when
    /// the future is dropped.
    pub async fn next(&mut self) -> Option<Message> {
        self.messages.next().await
    }

    /// Ends the subscription; what has already arrived can still be read.
    ///
    /// # Errors
    /// `Deadline` when the client could not accept it within `request_timeout`; `Closed` when the
    /// client has ended, and the subscription with it.
    pub async fn unsubscribe(&mut self) -> Result<(), ConnectionError> {
        let deadline = self.lease.request_timeout();
        match timeout(deadline, self.messages.unsubscribe()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_ended)) => Err(self.lease.link.closed()),
            Err(_elapsed) => Err(late(deadline)),
        }
    }
}

impl Subscription {
    /// Ends the subscription without losing what is on its way: the stream ends when the server has
    /// sent the last message.
    ///
    /// # Errors
    /// As [`unsubscribe`](Self::unsubscribe).
    pub async fn drain(&mut self) -> Result<(), ConnectionError> {
        let deadline = self.lease.request_timeout();
        match timeout(deadline, self.messages.drain()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_ended)) => Err(self.lease.link.closed()),
            Err(_elapsed) => Err(late(deadline)),
        }
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.messages.poll_next_unpin(cx)
    }
}

fn refused(link: &Link, error: SubscribeError) -> ConnectionError {
    match error.kind() {
        SubscribeErrorKind::InvalidSubject | SubscribeErrorKind::InvalidQueueName => {
            let text = error.to_string();
            ConnectionError::with_source(ConnectionErrorKind::InvalidSubject, text, error)
        }
        SubscribeErrorKind::Other => link.closed(),
    }
}

fn late(deadline: Duration) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::Deadline {
            operation: Operation::Subscribe,
        },
        format!("the client accepted nothing for {deadline:?}"),
    )
}

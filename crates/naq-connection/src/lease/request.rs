//! Requests: one message, one reply, one deadline around the whole.

use std::pin::pin;
use std::time::Duration;

use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, Message, Request, RequestError, RequestErrorKind};
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::Connection;
use super::deadline::end;
use super::given::Given;
use super::publish::late;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::link::{Link, size};

impl Connection {
    /// Sends a request and waits for its reply, within `request_timeout`.
    ///
    /// The time covers everything: waiting for a connection, the way into the client, the reply.
    /// A connection that drops meanwhile ends the call at once.
    ///
    /// # Errors
    /// Nothing was processed, safe to retry: `NotConnected`, `NoResponders`, `Deadline` of a publish (no room
    /// for the payload in `max_pending_bytes`). The other side may
    /// have acted (see [`ConnectionError::outcome_unknown`]): `ConnectionLost`, `Deadline`. Useless
    /// to retry: `InvalidSubject`, `PayloadTooLarge`. `Closed` or `ReconnectsExhausted`: the client
    /// has ended, acquire a new lease.
    pub async fn request(
        &self,
        subject: impl ToSubject,
        payload: impl Into<Bytes>,
    ) -> Result<Message, ConnectionError> {
        self.request_within(subject, HeaderMap::new(), payload, self.request_timeout())
            .await
    }

    /// As [`request`](Self::request), with headers.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn request_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
    ) -> Result<Message, ConnectionError> {
        self.request_within(subject, headers, payload, self.request_timeout())
            .await
    }

    /// As [`request_with_headers`](Self::request_with_headers), within `deadline`.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn request_within(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<Message, ConnectionError> {
        let start = Instant::now();
        let until = end(start, deadline);
        let epoch = match self.link.up_now() {
            Some(epoch) => epoch,
            None => {
                let up = timeout_at(until, Box::pin(self.link.connected_epoch())).await;
                up.map_err(|_elapsed| absent(deadline))??
            }
        };
        let (subject, payload) = (subject.to_subject(), payload.into());
        let size = size(&subject, &headers, &payload);
        if !self.link.room_now(size) {
            let room = timeout_at(until, Box::pin(self.link.room(size))).await;
            room.map_err(|_elapsed| late(deadline))??;
        }
        // No timeout of the client's own: it would not cover the way into the client.
        let mut request = Request::new().payload(payload).timeout(None);
        if !headers.is_empty() {
            request = request.headers(headers);
        }
        // Each future is pinned where it is made: moved into the next one it would take its place twice.
        let sent = pin!(self.link.client.send_request(Given::new(subject), request));
        let reply = pin!(async {
            let awaited = self.link.await_reply();
            tokio::select! {
                biased;
                reply = sent => {
                    awaited.came();
                    reply.map_err(|error| failed(&self.link, error))
                }
                error = self.link.lost(epoch) => Err(error),
            }
        });
        let reply = timeout_at(until, reply).await;
        if matches!(reply, Ok(Ok(_))) {
            self.link.meter().replied(start.elapsed());
        }
        reply.unwrap_or_else(|_elapsed| {
            Err(ConnectionError::new(
                ConnectionErrorKind::Deadline {
                    operation: Operation::Request,
                },
                format!("no reply for {deadline:?}"),
            ))
        })
    }
}

fn absent(deadline: Duration) -> ConnectionError {
    ConnectionError::new(
        ConnectionErrorKind::NotConnected,
        format!("no connection for {deadline:?}"),
    )
}

fn failed(link: &Link, error: RequestError) -> ConnectionError {
    let kind = match error.kind() {
        RequestErrorKind::NoResponders => ConnectionErrorKind::NoResponders,
        RequestErrorKind::InvalidSubject => ConnectionErrorKind::InvalidSubject,
        RequestErrorKind::MaxPayloadExceeded => ConnectionErrorKind::PayloadTooLarge,
        RequestErrorKind::TimedOut => ConnectionErrorKind::Deadline {
            operation: Operation::Request,
        },
        // Either the command was not taken or its reply slot is gone: the client has ended.
        RequestErrorKind::Other => match link.state().is_terminal() {
            true => return link.closed(),
            false => ConnectionErrorKind::ConnectionLost {
                epoch: link.state().epoch,
            },
        },
    };
    ConnectionError::with_source(kind, error.to_string(), error)
}

//! Plain publishes: at most once.

use std::time::Duration;

use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, PublishError, PublishErrorKind};
use bytes::Bytes;
use tokio::time::timeout;

use super::Connection;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::link::Link;

impl Connection {
    /// Hands a message to the client for sending, within `request_timeout`.
    ///
    /// `Ok` means accepted here, not received there: what is under way when a connection drops is
    /// lost. [`flush_confirmed`](Self::flush_confirmed) tells. While the connection is down,
    /// messages wait for it, up to the client's capacity.
    ///
    /// # Errors
    /// `Deadline` when the client could not accept it in time (safe to retry: it was not accepted),
    /// `InvalidSubject`, `PayloadTooLarge`; `Closed` or `ReconnectsExhausted` when the client has
    /// ended (acquire a new lease).
    pub async fn publish(
        &self,
        subject: impl ToSubject,
        payload: impl Into<Bytes>,
    ) -> Result<(), ConnectionError> {
        self.publish_within(subject, HeaderMap::new(), payload, self.request_timeout())
            .await
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
        let state = self.link.state();
        self.link.refuse_ended(state)?;
        // While the connection is down, what is accepted goes out in the next epoch.
        let epoch = state.epoch + u64::from(!state.is_connected());
        let (client, subject, payload) = (&self.link.client, subject.to_subject(), payload.into());
        let accepted = async {
            if headers.is_empty() {
                client.publish(subject, payload).await
            } else {
                client.publish_with_headers(subject, headers, payload).await
            }
        };
        match timeout(deadline, accepted).await {
            Ok(Ok(())) => {
                self.link.count_publish();
                self.mark_unconfirmed(epoch);
                Ok(())
            }
            Ok(Err(error)) => Err(refused(&self.link, error)),
            Err(_elapsed) => Err(ConnectionError::new(
                ConnectionErrorKind::Deadline {
                    operation: Operation::Publish,
                },
                format!("the client accepted nothing for {deadline:?}"),
            )),
        }
    }
}

pub(super) fn refused(link: &Link, error: PublishError) -> ConnectionError {
    let kind = match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => ConnectionErrorKind::PayloadTooLarge,
        PublishErrorKind::InvalidSubject => ConnectionErrorKind::InvalidSubject,
        PublishErrorKind::Send => return link.closed(),
    };
    ConnectionError::with_source(kind, error.to_string(), error)
}

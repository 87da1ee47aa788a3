//! Messages that name a reply address: for protocols with several replies to one message.

use std::pin::pin;

use async_nats::jetstream::publish::PublishAck;
use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;

use super::Connection;
use super::given::Given;
use super::publish::{Handed, hand_over};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::link::size;

impl Connection {
    /// A subject that nobody else uses, to be subscribed to for replies.
    pub fn new_inbox(&self) -> String {
        self.link.client.new_inbox()
    }

    /// Publishes with a reply address, within `request_timeout`. `Ok` means accepted here; the reply tells the rest.
    ///
    /// # Errors
    /// `NotConnected` while there is no connection: a reply could not be expected. `Deadline` when the client could not
    /// accept it (safe to retry). `PayloadTooLarge`, `InvalidSubject`; `Closed` or `ReconnectsExhausted` when the client
    /// has ended (acquire a new lease).
    pub async fn publish_with_reply(
        &self,
        subject: impl ToSubject,
        reply: impl ToSubject,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
    ) -> Result<(), ConnectionError> {
        let state = self.link.state();
        self.link.refuse_ended(state)?;
        if !state.is_connected() {
            return Err(ConnectionError::new(
                ConnectionErrorKind::NotConnected,
                "no connection to publish on",
            ));
        }
        let (deadline, client, payload) =
            (self.request_timeout(), &self.link.client, payload.into());
        let subject = subject.to_subject();
        let size = size(&subject, &headers, &payload);
        let subject = Given::new(subject);
        let accepted = pin!(async {
            if headers.is_empty() {
                client.publish_with_reply(subject, reply, payload).await
            } else {
                client
                    .publish_with_reply_and_headers(subject, reply, headers, payload)
                    .await
            }
        });
        let handed = hand_over(&self.link, size, accepted, deadline).await?;
        if handed == Handed::AtOnce {
            self.link.meter().asked_at_once();
        }
        Ok(())
    }
}

/// Reads a message that came to the reply address of a publish to a stream.
///
/// # Errors
/// `NoResponders` if no stream took it (a retry helps), `Api` if one refused it, `Protocol` if it is something else.
pub fn read_acknowledgement(reply: &Message) -> Result<PublishAck, ConnectionError> {
    match reply.status {
        Some(StatusCode::NO_RESPONDERS) => Err(ConnectionError::new(
            ConnectionErrorKind::NoResponders,
            "no stream takes this subject right now",
        )),
        _ => super::acked::read(&reply.payload),
    }
}

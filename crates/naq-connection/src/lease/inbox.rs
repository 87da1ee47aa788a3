//! Messages that name a reply address: for protocols with several replies to one message.

use async_nats::subject::ToSubject;
use bytes::Bytes;
use tokio::time::timeout;

use super::Connection;
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};

impl Connection {
    /// A subject that nobody else uses, to be subscribed to for replies.
    pub fn new_inbox(&self) -> String {
        self.link.client.new_inbox()
    }

    /// Publishes with a reply address, within `request_timeout`. Sent in the epoch that it was accepted in, or not at
    /// all known: the reply tells.
    ///
    /// # Errors
    /// `Deadline` when the client could not accept it (safe to retry), `NotConnected` while there is no connection:
    /// a reply could not be expected. `Closed` when the client has ended (acquire a new lease).
    pub async fn publish_with_reply(
        &self,
        subject: impl ToSubject,
        reply: impl ToSubject,
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
        let deadline = self.request_timeout();
        let accepted = self
            .link
            .client
            .publish_with_reply(subject, reply, payload.into());
        match timeout(deadline, accepted).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(super::publish::refused(&self.link, error)),
            Err(_elapsed) => Err(ConnectionError::new(
                ConnectionErrorKind::Deadline {
                    operation: Operation::Publish,
                },
                format!("the client accepted nothing for {deadline:?}"),
            )),
        }
    }
}

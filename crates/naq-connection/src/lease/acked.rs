//! Publishes that a stream acknowledges.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::publish::PublishAck;
use async_nats::subject::ToSubject;
use bytes::Bytes;
use serde::Deserialize;

use super::Connection;
use crate::error::{ConnectionError, ConnectionErrorKind};

impl Connection {
    /// Publishes to the stream that listens on `subject` and waits for its acknowledgement,
    /// within `request_timeout`.
    ///
    /// # Errors
    /// Not stored, may be retried: `NoResponders` (no such stream, or no leader right now),
    /// `NotConnected`, `Api` when [transient](ConnectionError::is_transient). Not stored, final:
    /// other `Api`. Perhaps stored: `OutcomeUnknown`; repeat it only with the same `Nats-Msg-Id`.
    /// Otherwise as [`request`](Self::request).
    pub async fn publish_acked(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
    ) -> Result<PublishAck, ConnectionError> {
        self.publish_acked_within(subject, headers, payload, self.request_timeout())
            .await
    }

    /// As [`publish_acked`](Self::publish_acked), within `deadline`.
    ///
    /// # Errors
    /// As [`publish_acked`](Self::publish_acked).
    pub async fn publish_acked_within(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<PublishAck, ConnectionError> {
        let subject = subject.to_subject();
        let reply = self
            .request_within(subject.clone(), headers, payload, deadline)
            .await
            .map_err(|error| unsettled(&subject, error))?;
        read(&reply.payload)
    }
}

fn unsettled(subject: &str, error: ConnectionError) -> ConnectionError {
    let (kind, context) = match error.kind() {
        _ if error.outcome_unknown() => (
            ConnectionErrorKind::OutcomeUnknown,
            format!("`{subject}`: the acknowledgement was lost: {error}"),
        ),
        ConnectionErrorKind::NoResponders => (
            ConnectionErrorKind::NoResponders,
            format!("`{subject}`: no stream takes this subject right now"),
        ),
        _ => return error,
    };
    ConnectionError::with_source(kind, context, error)
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize)]
struct RefusalBody {
    code: u16,
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

pub(super) fn read(reply: &[u8]) -> Result<PublishAck, ConnectionError> {
    if let Ok(Refusal { error }) = serde_json::from_slice(reply) {
        let kind = ConnectionErrorKind::Api {
            code: error.code,
            err_code: error.err_code,
            description: error.description,
        };
        return Err(ConnectionError::new(kind, "the message was not stored"));
    }
    serde_json::from_slice(reply).map_err(|error| {
        ConnectionError::with_source(
            ConnectionErrorKind::Protocol,
            "not the acknowledgement of a stream",
            error,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_read() {
        let ack = read(br#"{"stream":"S","seq":7,"duplicate":true}"#).unwrap();
        assert_eq!(
            (ack.stream.as_str(), ack.sequence, ack.duplicate),
            ("S", 7, true)
        );
    }

    #[test]
    fn a_refusal_keeps_the_servers_codes_and_words() {
        let reply = br#"{"error":{"code":400,"err_code":10071,"description":"wrong last"},"stream":"S","seq":0}"#;
        let error = read(reply).unwrap_err();
        let ConnectionErrorKind::Api {
            code,
            err_code,
            description,
        } = error.kind()
        else {
            panic!("{error}")
        };
        assert_eq!(
            (*code, *err_code, description.as_str()),
            (400, 10071, "wrong last")
        );
        assert!(!error.is_transient() && !error.outcome_unknown());
    }

    #[test]
    fn a_reply_of_somebody_else_is_not_an_acknowledgement() {
        let error = read(b"pong").unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::Protocol);
    }
}

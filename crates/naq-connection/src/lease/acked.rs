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

/// Refused or not, as the server says it: read once, since it is read for each job.
#[derive(Deserialize)]
struct Answer {
    error: Option<Refusal>,
    stream: Option<String>,
    seq: Option<u64>,
    #[serde(default)]
    domain: String,
    #[serde(default)]
    duplicate: bool,
    val: Option<String>,
    batch: Option<String>,
    count: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    code: u16,
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

pub(super) fn read(reply: &[u8]) -> Result<PublishAck, ConnectionError> {
    const OTHER: &str = "not the acknowledgement of a stream";
    let answer: Answer = serde_json::from_slice(reply).map_err(|error| {
        ConnectionError::with_source(ConnectionErrorKind::Protocol, OTHER, error)
    })?;
    if let Some(error) = answer.error {
        let kind = ConnectionErrorKind::Api {
            code: error.code,
            err_code: error.err_code,
            description: error.description,
        };
        return Err(ConnectionError::new(kind, "the message was not stored"));
    }
    let (Some(stream), Some(sequence)) = (answer.stream, answer.seq) else {
        return Err(ConnectionError::new(ConnectionErrorKind::Protocol, OTHER));
    };
    Ok(PublishAck {
        stream,
        sequence,
        domain: answer.domain,
        duplicate: answer.duplicate,
        value: answer.val,
        batch_id: answer.batch,
        batch_size: answer.count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_read() {
        let reply =
            br#"{"stream":"S","seq":7,"duplicate":true,"val":"5","batch":"b","count":3,"new":{}}"#;
        let ack = read(reply).unwrap();
        let theirs: PublishAck = serde_json::from_slice(reply).unwrap();
        assert_eq!(ack, theirs, "as the client itself reads it");
        assert_eq!((ack.sequence, ack.batch_size), (7, Some(3)));
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
        for reply in [&b"pong"[..], b"{}", br#"{"stream":"S"}"#] {
            let error = read(reply).unwrap_err();
            assert_eq!(*error.kind(), ConnectionErrorKind::Protocol);
        }
    }
}

//! Reading one stored message: by direct get, or from the leader of its stream.

use std::time::SystemTime;

use async_nats::{HeaderMap, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use naq_connection::Connection;
use serde::Deserialize;

use super::api::{ApiError, call, refused};
use super::clock::read_rfc3339;
use crate::wire::text;
use crate::{JobsError, JobsErrorKind};

/// A stored message.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) payload: Bytes,
    /// The server's time of storing it, RFC 3339.
    pub(crate) time: String,
}

impl Stored {
    pub(super) fn read(message: Message) -> Option<Self> {
        let header = |name| text(message.headers.as_ref(), name).map(str::to_owned);
        Some(Self {
            subject: header("Nats-Subject")?,
            sequence: header("Nats-Sequence")?.parse().ok()?,
            time: header("Nats-Time-Stamp").unwrap_or_default(),
            headers: message.headers,
            payload: message.payload,
        })
    }

    /// When the server sends it on, if it is a schedule.
    pub(crate) fn due(&self) -> Option<SystemTime> {
        let schedule = text(self.headers.as_ref(), "Nats-Schedule")?;
        read_rfc3339(schedule.strip_prefix("@at ")?)
    }
}

/// The last message on `subject`, if there is one.
pub(crate) async fn last_of(
    conn: &Connection,
    stream: &str,
    subject: &str,
) -> Result<Option<Stored>, JobsError> {
    one_of(
        conn,
        format!("$JS.API.DIRECT.GET.{stream}.{subject}"),
        subject,
        String::new(),
    )
    .await
}

/// The message that the request is for, if there is one; `subject` is for the error.
async fn one_of(
    conn: &Connection,
    request: String,
    subject: &str,
    body: String,
) -> Result<Option<Stored>, JobsError> {
    let context = || format!("read {subject}");
    let reply = conn
        .request(request, body)
        .await
        .map_err(|e| JobsError::connection(context(), e))?;
    match reply.status.map(|s| s.as_u16()) {
        Some(404) => Ok(None),
        Some(status) => Err(JobsError::new(
            JobsErrorKind::Server,
            format!(
                "read {subject}: status {status} {}",
                reply.description.unwrap_or_default()
            ),
        )),
        None => Ok(Stored::read(reply)),
    }
}

/// The first message on `filter` from sequence `from` on. Nothing is counted, so this is cheap in a long stream.
pub(crate) async fn first_from(
    conn: &Connection,
    stream: &str,
    filter: &str,
    from: u64,
) -> Result<Option<Stored>, JobsError> {
    let ask = serde_json::json!({ "seq": from.max(1), "next_by_subj": filter });
    one_of(
        conn,
        format!("$JS.API.DIRECT.GET.{stream}"),
        filter,
        ask.to_string(),
    )
    .await
}

/// The last message on `subject`, read from the stream's leader, so that what was confirmed is seen.
pub(crate) async fn last_at_leader(
    conn: &Connection,
    stream: &str,
    subject: &str,
) -> Result<Option<Stored>, JobsError> {
    let ask = serde_json::json!({ "last_by_subj": subject });
    at_leader(conn, stream, subject, &ask).await
}

/// The first message on `filter` from sequence `from` on, read from the stream's leader.
pub(crate) async fn next_at_leader(
    conn: &Connection,
    stream: &str,
    filter: &str,
    from: u64,
) -> Result<Option<Stored>, JobsError> {
    let ask = serde_json::json!({ "seq": from.max(1), "next_by_subj": filter });
    at_leader(conn, stream, filter, &ask).await
}

async fn at_leader(
    conn: &Connection,
    stream: &str,
    subject: &str,
    ask: &serde_json::Value,
) -> Result<Option<Stored>, JobsError> {
    let found = match call::<Found>(conn, &format!("STREAM.MSG.GET.{stream}"), ask).await? {
        Ok(found) => found.message,
        Err(error) if error.err_code == ApiError::NO_MESSAGE => return Ok(None),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
            let context = format!("read {subject}: its stream is gone");
            return Err(JobsError::new(JobsErrorKind::Unavailable, context));
        }
        Err(error) => return Err(refused(format!("read {subject}"), error)),
    };
    let bytes = |text: Option<String>| {
        BASE64.decode(text.unwrap_or_default()).map_err(|e| {
            JobsError::new(JobsErrorKind::Corrupt, format!("read {subject}")).because(e)
        })
    };
    Ok(Some(Stored {
        subject: found.subject,
        sequence: found.seq,
        headers: read_headers(&bytes(found.hdrs)?),
        payload: bytes(found.data)?.into(),
        time: found.time,
    }))
}

/// Headers as the API gives them: their lines after the first.
fn read_headers(bytes: &[u8]) -> Option<HeaderMap> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut headers = HeaderMap::new();
    for line in text.split("\r\n").skip(1) {
        if let Some((name, value)) = line.split_once(':') {
            headers.append(name, value.trim());
        }
    }
    (!headers.is_empty()).then_some(headers)
}

#[derive(Deserialize)]
struct Found {
    message: FoundMessage,
}

#[derive(Deserialize)]
struct FoundMessage {
    subject: String,
    seq: u64,
    hdrs: Option<String>,
    data: Option<String>,
    #[serde(default)]
    time: String,
}

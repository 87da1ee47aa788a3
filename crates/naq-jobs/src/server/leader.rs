//! Reading stored messages from the leader of their stream, so that what was confirmed is seen.

use async_nats::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use naq_connection::Connection;
use serde::Deserialize;

use super::Stored;
use super::api::{ApiError, call, refused};
use crate::{JobsError, JobsErrorKind};

/// The last message on `subject`, if there is one.
pub(crate) async fn last_at_leader(
    conn: &Connection,
    stream: &str,
    subject: &str,
) -> Result<Option<Stored>, JobsError> {
    let ask = serde_json::json!({ "last_by_subj": subject });
    get(conn, stream, subject, &ask).await
}

/// The first message on `filter` from sequence `from` on, if there is one.
pub(crate) async fn next_at_leader(
    conn: &Connection,
    stream: &str,
    filter: &str,
    from: u64,
) -> Result<Option<Stored>, JobsError> {
    let ask = serde_json::json!({ "seq": from.max(1), "next_by_subj": filter });
    get(conn, stream, filter, &ask).await
}

async fn get(
    conn: &Connection,
    stream: &str,
    what: &str,
    ask: &serde_json::Value,
) -> Result<Option<Stored>, JobsError> {
    let found = match call::<Found>(conn, &format!("STREAM.MSG.GET.{stream}"), ask).await? {
        Ok(found) => found.message,
        Err(error) if error.err_code == ApiError::NO_MESSAGE => return Ok(None),
        Err(error) => return Err(refused(format!("read {what}"), error)),
    };
    let bytes = |text: Option<String>| {
        BASE64
            .decode(text.unwrap_or_default())
            .map_err(|e| JobsError::new(JobsErrorKind::Corrupt, format!("read {what}")).because(e))
    };
    Ok(Some(Stored {
        subject: found.subject,
        sequence: found.seq,
        headers: headers(&bytes(found.hdrs)?),
        payload: bytes(found.data)?.into(),
        time: found.time,
    }))
}

#[derive(Deserialize)]
struct Found {
    message: FoundMessage,
}

#[derive(Deserialize)]
struct FoundMessage {
    subject: String,
    seq: u64,
    data: Option<String>,
    hdrs: Option<String>,
    #[serde(default)]
    time: String,
}

/// The headers of a stored message, as they were on the wire: a line with the version, then one for each.
fn headers(text: &[u8]) -> Option<HeaderMap> {
    let text = std::str::from_utf8(text).ok()?;
    let mut headers = HeaderMap::new();
    for line in text.split("\r\n").skip(1) {
        if let Some((name, value)) = line.split_once(':') {
            headers.append(name, value.trim());
        }
    }
    (!headers.is_empty()).then_some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_from_their_wire_form() {
        let found = headers(b"NATS/1.0\r\nNaq-Fence: 7\r\ntraceparent:00-1\r\n\r\n").unwrap();
        assert_eq!(found.get("Naq-Fence").map(|v| v.as_str()), Some("7"));
        assert_eq!(found.get("traceparent").map(|v| v.as_str()), Some("00-1"));
        assert_eq!(found.len(), 2);
        assert_eq!(headers(b""), None);
    }
}

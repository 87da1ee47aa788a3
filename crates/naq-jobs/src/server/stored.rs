//! Reading stored messages by direct get: one, or a page of them.

use std::collections::BTreeMap;

use async_nats::{HeaderMap, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use naq_connection::Connection;
use serde::Deserialize;

use super::api::{ApiError, call, refused};
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
    fn read(message: Message) -> Option<Self> {
        let header = |name| text(message.headers.as_ref(), name).map(str::to_owned);
        Some(Self {
            subject: header("Nats-Subject")?,
            sequence: header("Nats-Sequence")?.parse().ok()?,
            time: header("Nats-Time-Stamp").unwrap_or_default(),
            headers: message.headers,
            payload: message.payload,
        })
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
struct Subjects {
    state: SubjectsState,
    /// Subjects in all, if they come in pages.
    #[serde(default)]
    total: Option<usize>,
}

#[derive(Deserialize)]
struct SubjectsState {
    #[serde(default)]
    subjects: Option<BTreeMap<String, u64>>,
}

/// The subjects under `filter` that hold a message, as the stream's leader has them.
pub(crate) async fn subjects_at_leader(
    conn: &Connection,
    stream: &str,
    filter: &str,
) -> Result<Vec<String>, JobsError> {
    let ask = serde_json::json!({ "subjects_filter": filter });
    match call::<Subjects>(conn, &format!("STREAM.INFO.{stream}"), &ask).await? {
        Ok(found) => Ok(found
            .state
            .subjects
            .unwrap_or_default()
            .into_keys()
            .collect()),
        Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
            let context = format!("list {filter}: its stream is gone");
            Err(JobsError::new(JobsErrorKind::Unavailable, context))
        }
        Err(error) => Err(refused(format!("list {filter}"), error)),
    }
}

/// The subjects under `filter` that hold a message, from the `offset`th on, as many as the server sends at a time; and how many there
/// are in all.
pub(crate) async fn subjects_page(
    conn: &Connection,
    stream: &str,
    filter: &str,
    offset: usize,
) -> Result<(Vec<String>, usize), JobsError> {
    let ask = serde_json::json!({ "subjects_filter": filter, "offset": offset });
    match call::<Subjects>(conn, &format!("STREAM.INFO.{stream}"), &ask).await? {
        Ok(found) => {
            let subjects: Vec<String> = found
                .state
                .subjects
                .unwrap_or_default()
                .into_keys()
                .collect();
            let total = found.total.unwrap_or(subjects.len());
            Ok((subjects, total))
        }
        Err(error) => Err(refused(format!("list {filter}"), error)),
    }
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

/// Some messages in the order of their stream, and where the next page begins.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Stored>,
    pub(crate) next: Option<u64>,
    /// Messages that come after these.
    rest: u64,
}

/// How many messages there are on `filter`: the server says so with the first of them.
pub(crate) async fn count(conn: &Connection, stream: &str, filter: &str) -> Result<u64, JobsError> {
    Ok(count_from(conn, stream, filter, 0).await?.0)
}

/// How many messages there are on `filter` from sequence `from` on, and the first of them.
pub(crate) async fn count_from(
    conn: &Connection,
    stream: &str,
    filter: &str,
    from: u64,
) -> Result<(u64, Option<Stored>), JobsError> {
    let mut first = page(conn, stream, filter, from, 1).await?;
    let one = first.messages.pop();
    Ok((u64::from(one.is_some()) + first.rest, one))
}

/// At most `limit` messages on `filter`, from sequence `from` on. The server may send fewer, if they are large.
pub(crate) async fn page(
    conn: &Connection,
    stream: &str,
    filter: &str,
    from: u64,
    limit: usize,
) -> Result<Page, JobsError> {
    let ask = serde_json::json!({ "seq": from.max(1), "batch": limit, "next_by_subj": filter });
    batch(conn, stream, &format!("list {filter}"), &ask).await
}

/// The first message on `filter` that was stored at `time` (RFC 3339) or later.
pub(crate) async fn first_since(
    conn: &Connection,
    stream: &str,
    filter: &str,
    time: &str,
) -> Result<Option<Stored>, JobsError> {
    let ask = serde_json::json!({ "start_time": time, "batch": 1, "next_by_subj": filter });
    let mut found = batch(conn, stream, &format!("list {filter}"), &ask).await?;
    Ok(found.messages.pop())
}

/// Messages on `filter` from the oldest on, not more than so many bytes of them.
pub(crate) async fn oldest(
    conn: &Connection,
    stream: &str,
    filter: &str,
    limit: usize,
    max_bytes: usize,
) -> Result<Vec<Stored>, JobsError> {
    let ask = serde_json::json!({
        "seq": 1, "batch": limit, "next_by_subj": filter, "max_bytes": max_bytes,
    });
    let found = batch(conn, stream, &format!("list {filter}"), &ask).await?;
    Ok(found.messages)
}

/// The last message of each subject that is under one of `filters`, at most `limit` of them.
pub(crate) async fn last_of_each(
    conn: &Connection,
    stream: &str,
    filters: &[String],
    limit: usize,
) -> Result<Vec<Stored>, JobsError> {
    let context = format!("read {}", filters.join(", "));
    let ask = serde_json::json!({ "multi_last": filters, "batch": limit });
    Ok(batch(conn, stream, &context, &ask).await?.messages)
}

/// Asks for a batch by direct get, and reads it to its end.
async fn batch(
    conn: &Connection,
    stream: &str,
    what: &str,
    ask: &serde_json::Value,
) -> Result<Page, JobsError> {
    let failed = |e| JobsError::connection(what, e);
    let inbox = conn.new_inbox();
    let mut replies = conn.subscribe(inbox.clone()).await.map_err(failed)?;
    let subject = format!("$JS.API.DIRECT.GET.{stream}");
    conn.publish_with_reply(subject, inbox, HeaderMap::new(), ask.to_string())
        .await
        .map_err(failed)?;
    let mut messages: Vec<Stored> = Vec::new();
    let deadline = tokio::time::sleep(conn.request_timeout());
    tokio::pin!(deadline);
    loop {
        let message = tokio::select! {
            message = replies.next() => message,
            () = &mut deadline => return Err(JobsError::new(JobsErrorKind::Timeout, what)),
        };
        let Some(message) = message else {
            return Err(JobsError::new(JobsErrorKind::Connection, what));
        };
        match message.status.map(|s| s.as_u16()) {
            // 204: the end of the batch; 404: nothing (more) there.
            Some(204 | 404) => {
                let rest = text(message.headers.as_ref(), "Nats-Num-Pending");
                let rest = rest.and_then(|n| n.parse().ok()).unwrap_or(0);
                let next = messages.last().filter(|_| rest > 0).map(|m| m.sequence + 1);
                return Ok(Page {
                    messages,
                    next,
                    rest,
                });
            }
            Some(status) => {
                let kind = match status {
                    503 => JobsErrorKind::Unavailable,
                    _ => JobsErrorKind::Server,
                };
                let text = message.description.unwrap_or_default();
                return Err(JobsError::new(
                    kind,
                    format!("{what}: status {status} {text}"),
                ));
            }
            None => messages.extend(Stored::read(message)),
        }
    }
}

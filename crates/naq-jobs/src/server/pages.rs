//! Reading many stored messages by direct get.

use async_nats::HeaderMap;
use naq_connection::Connection;

use super::stored::Stored;
use crate::wire::text;
use crate::{JobsError, JobsErrorKind};

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

//! Reading stored messages by direct get: one, or a page of them. See [`super::leader`] for what must not be stale.

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use naq_connection::Connection;

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
    let context = || format!("read {subject}");
    let reply = conn
        .request(
            format!("$JS.API.DIRECT.GET.{stream}.{subject}"),
            Bytes::new(),
        )
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
    let first = page(conn, stream, filter, 0, 1).await?;
    Ok(u64::from(!first.messages.is_empty()) + first.rest)
}

/// At most `limit` messages on `filter`, from sequence `from` on. The server may send fewer, if they are large.
pub(crate) async fn page(
    conn: &Connection,
    stream: &str,
    filter: &str,
    from: u64,
    limit: usize,
) -> Result<Page, JobsError> {
    let context = || format!("list {filter}");
    let failed = |e| JobsError::connection(context(), e);
    let inbox = conn.new_inbox();
    let mut replies = conn.subscribe(inbox.clone()).await.map_err(failed)?;
    let ask = serde_json::json!({ "seq": from.max(1), "batch": limit, "next_by_subj": filter });
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
            () = &mut deadline => return Err(JobsError::new(JobsErrorKind::Timeout, context())),
        };
        let Some(message) = message else {
            return Err(JobsError::new(JobsErrorKind::Connection, context()));
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
                let text = message.description.unwrap_or_default();
                let context = format!("list {filter}: status {status} {text}");
                return Err(JobsError::new(JobsErrorKind::Server, context));
            }
            None => messages.extend(Stored::read(message)),
        }
    }
}

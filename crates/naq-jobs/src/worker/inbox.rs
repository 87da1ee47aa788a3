//! Where the answers to pull requests come in, and the requests themselves: one inbox per connection epoch.

use std::time::Duration;

use async_nats::{HeaderMap, Message};
use naq_connection::{Connection, ConnectionError, Subscription};
use serde::Serialize;

use super::puller::{Event, Timing};
use crate::JobsError;
use crate::server::Link;
use crate::wire::text;

/// What one connection epoch offers.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) conn: Connection,
    pub(super) replies: Subscription,
    pub(super) epoch: u64,
    subject: String,
}

/// The body of a pull request (ADR-13); times in nanoseconds.
#[derive(Debug, Serialize)]
pub(super) struct Request {
    batch: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_heartbeat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_wait: Option<bool>,
}

impl Request {
    /// Stays open for a while, until it has brought `batch` messages.
    pub(super) fn open(batch: u32, timing: Timing) -> Self {
        Self {
            batch,
            expires: Some(nanos(timing.expires)),
            idle_heartbeat: Some(nanos(timing.heartbeat)),
            no_wait: None,
        }
    }

    /// Takes only what is there.
    pub(super) fn no_wait(batch: u32) -> Self {
        Self {
            batch,
            expires: None,
            idle_heartbeat: None,
            no_wait: Some(true),
        }
    }
}

impl Inbox {
    /// Opens one on the connection that is there now. `context` says what for.
    pub(super) async fn open(link: &Link, context: &str) -> Result<Self, JobsError> {
        let conn = link.lease(context).await?;
        let epoch = conn.state().epoch;
        let subject = conn.new_inbox();
        let replies = conn.subscribe(subject.clone()).await;
        let replies = replies.map_err(|e| JobsError::connection(context, e))?;
        Ok(Self {
            conn,
            replies,
            epoch,
            subject,
        })
    }

    /// Sends a request to a consumer of the stream of jobs.
    pub(super) async fn ask(
        &self,
        link: &Link,
        consumer: &str,
        request: &Request,
    ) -> Result<(), ConnectionError> {
        let stream = link.names().jobs_stream();
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        // Numbers and a flag always have a JSON form.
        let body = serde_json::to_vec(request).unwrap_or_default();
        let (conn, reply) = (&self.conn, self.subject.clone());
        conn.publish_with_reply(subject, reply, HeaderMap::new(), body)
            .await
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a message on the inbox means (ADR-13).
pub(super) fn classify(message: &Message) -> Event {
    let Some(status) = message.status.map(|s| s.as_u16()) else {
        return Event::Job;
    };
    let pending = text(message.headers.as_ref(), "Nats-Pending-Messages");
    let pending = pending.and_then(|n| n.parse().ok());
    match (status, message.description.as_deref().unwrap_or_default()) {
        (100, _) => Event::Heartbeat,
        (404 | 408, _) => Event::Ended(pending),
        (409, text) if text.contains("Consumer Deleted") => Event::Missing,
        (409, text) if text.contains("Batch Completed") => Event::Ended(pending),
        _ => Event::NoResponders,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_server_reads() {
        let text = |request| serde_json::to_string(&request).unwrap();
        assert_eq!(text(Request::no_wait(7)), r#"{"batch":7,"no_wait":true}"#);
        let timing = Timing::of(Duration::from_secs(30));
        assert_eq!(
            text(Request::open(5, timing)),
            r#"{"batch":5,"expires":10000000000,"idle_heartbeat":1000000000}"#
        );
    }
}

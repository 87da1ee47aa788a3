//! The notes of one job as the stream has them, from a sequence on: replayed, then pushed.
//!
//! A push consumer that lives as long as its reader. Whatever could hide a note (a gap in the consumer's count, silence beyond
//! two heartbeats, another connection) ends the feed; the reader opens another one where it was.

use std::time::Duration;

use async_nats::Message;
use naq_connection::{Connection, Subscription};
use serde_json::json;

use super::JobNews;
use crate::JobsError;
use crate::model::JobId;
use crate::server::{Link, create_reader, leave_reader};
use crate::wire::text;

/// How often the server shows that it is there, and how long a reader without interest lives at the server.
const TIMES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// One reader.
pub(super) struct Feed {
    conn: Connection,
    messages: Subscription,
    /// The stream and the consumer.
    reader: (String, String),
    /// Messages that this consumer has delivered.
    count: u64,
}

/// A note, if it could be read, and its sequence.
pub(super) type Came = (Option<JobNews>, u64);

impl Feed {
    /// Reads from sequence `from` on.
    pub(super) async fn open(link: &Link, id: &JobId, from: u64) -> Result<Self, JobsError> {
        let context = "watch a job";
        let conn = link.lease(context).await?;
        let inbox = conn.new_inbox();
        let failed = |e| JobsError::connection(context, e);
        let messages = conn.subscribe(inbox.clone()).await.map_err(failed)?;
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let filter = link.names().notes_of(id);
        let config = json!({
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": from.max(1),
            "ack_policy": "none",
            "filter_subject": filter,
            "replay_policy": "instant",
            "idle_heartbeat": nanos(TIMES.0),
            "inactive_threshold": nanos(TIMES.1),
            "mem_storage": true,
            "num_replicas": 1,
        });
        let stream = link.names().notes_stream();
        let name = create_reader(&conn, &stream, &filter, config).await?;
        Ok(Self {
            conn,
            messages,
            reader: (stream, name),
            count: 0,
        })
    }

    /// Nobody reads any more.
    pub(super) async fn leave(self) {
        let (stream, name) = &self.reader;
        leave_reader(&self.conn, stream, name).await;
    }

    /// The next note; `None` if another feed is to be opened. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> Option<Came> {
        loop {
            let message = tokio::time::timeout(TIMES.0 * 3, self.messages.next()).await;
            let message = message.ok().flatten()?;
            if message.status.is_some() {
                let last = text(message.headers.as_ref(), "Nats-Last-Consumer");
                let last = last
                    .and_then(|n| n.parse::<u64>().ok())
                    .unwrap_or(self.count);
                if last > self.count {
                    return None;
                }
                continue;
            }
            let Some((sequence, count)) = counts(&message) else {
                continue;
            };
            if count != self.count + 1 {
                return None;
            }
            self.count = count;
            return Some((JobNews::read(&message.subject, &message.payload), sequence));
        }
    }
}

/// Sequence in the stream and count of the consumer, from the acknowledgement address (ADR-15, both forms).
fn counts(message: &Message) -> Option<(u64, u64)> {
    let parts: Vec<&str> = message.reply.as_ref()?.split('.').collect();
    let at = if parts.len() >= 11 { 7 } else { 5 };
    let number = |index: usize| parts.get(index)?.parse::<u64>().ok();
    Some((number(at)?, number(at + 1)?))
}

//! What the server knows of the consumers of the queues: how much is pending, how much is in hand.

use naq_connection::Connection;
use serde::Deserialize;

use super::Link;
use super::api::{ApiError, call, refused};
use super::filters::overlap;
use crate::JobsError;

/// Most pages of consumers that are read: 256 each, so a hundred thousand queues.
const MAX_PAGES: usize = 400;

/// A consumer of the stream of jobs, at one instant.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ConsumerState {
    pub(crate) config: ConsumerLimits,
    /// The newest message that was delivered, and the number of deliveries.
    pub(crate) delivered: Position,
    /// Messages that were delivered and not acknowledged.
    pub(crate) num_ack_pending: u64,
    /// Messages that were not delivered yet.
    pub(crate) num_pending: u64,
    #[serde(default)]
    pub(crate) paused: bool,
}

/// What was asked of the consumer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ConsumerLimits {
    #[serde(default)]
    filter_subject: String,
    #[serde(default)]
    filter_subjects: Vec<String>,
    /// Nanoseconds.
    #[serde(default)]
    pub(crate) ack_wait: u64,
    #[serde(default)]
    pub(crate) max_ack_pending: i64,
}

/// A place in the order of deliveries.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct Position {
    pub(crate) consumer_seq: u64,
    pub(crate) stream_seq: u64,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    total: usize,
    #[serde(default)]
    consumers: Option<Vec<ConsumerState>>,
}

impl ConsumerState {
    /// The subjects that it delivers.
    pub(crate) fn filters(&self) -> impl Iterator<Item = &str> {
        let one = Some(self.config.filter_subject.as_str()).filter(|one| !one.is_empty());
        let many = self.config.filter_subjects.iter().map(String::as_str);
        one.into_iter().chain(many)
    }

    /// Whether it delivers the messages of `subject`.
    pub(crate) fn delivers(&self, subject: &str) -> bool {
        self.filters().any(|filter| overlap(filter, subject))
    }

    /// Deliveries so far that were settled or have lapsed: a counter that grows while work is done.
    pub(crate) fn settled(&self) -> u64 {
        self.delivered
            .consumer_seq
            .saturating_sub(self.num_ack_pending)
    }
}

/// All consumers of the stream of jobs; none if there is no such stream.
pub(crate) async fn consumer_states(
    conn: &Connection,
    link: &Link,
) -> Result<Vec<ConsumerState>, JobsError> {
    let stream = link.names().jobs_stream();
    let mut all = Vec::new();
    for _ in 0..MAX_PAGES {
        let ask = serde_json::json!({ "offset": all.len() });
        let page = match call::<List>(conn, &format!("CONSUMER.LIST.{stream}"), &ask).await? {
            Ok(page) => page,
            Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => return Ok(all),
            Err(error) => return Err(refused("list the consumers of the queues", error)),
        };
        let more = page.consumers.unwrap_or_default();
        let is_last = more.is_empty() || all.len() + more.len() >= page.total;
        all.extend(more);
        if is_last {
            break;
        }
    }
    Ok(all)
}

/// The consumer of this name; `None` if there is none.
pub(crate) async fn consumer_state(
    conn: &Connection,
    link: &Link,
    name: &str,
) -> Result<Option<ConsumerState>, JobsError> {
    let stream = link.names().jobs_stream();
    match call::<ConsumerState>(conn, &format!("CONSUMER.INFO.{stream}.{name}"), &()).await? {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.err_code {
            ApiError::CONSUMER_NOT_FOUND | ApiError::STREAM_NOT_FOUND => Ok(None),
            _ => Err(refused(format!("look at the consumer {name}"), error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_filter_and_many_are_read_alike() {
        let state = |filters: serde_json::Value| {
            let mut value = serde_json::json!({
                "config": {}, "delivered": {"consumer_seq": 9, "stream_seq": 7},
                "num_ack_pending": 2, "num_pending": 1,
            });
            value["config"] = filters;
            serde_json::from_value::<ConsumerState>(value).unwrap()
        };
        let one = state(serde_json::json!({"filter_subject": "n.queue.a.*"}));
        let many = serde_json::json!({"filter_subjects": ["n.queue.a.*", "n.unique.a.normal.*.*"]});
        let many = state(many);
        assert!(one.delivers("n.queue.a.x") && many.delivers("n.queue.a.x"));
        assert!(many.delivers("n.unique.a.normal.k.x") && !one.delivers("n.unique.a.normal.k.x"));
        assert_eq!(one.settled(), 7);
    }
}

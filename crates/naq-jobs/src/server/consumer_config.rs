//! What a consumer is asked to be, and what the server says that it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::consumer_state::Position;

/// Pull requests that may wait at the server: one per worker and queue, at least.
pub(super) const MAX_WAITING: i64 = 10_000;

/// The part of a consumer's configuration that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Consumer {
    pub(super) durable_name: String,
    /// The only filter of a consumer that an older version has made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) filter_subject: Option<String>,
    #[serde(default)]
    pub(super) filter_subjects: Vec<String>,
    pub(super) ack_policy: String,
    pub(super) deliver_policy: String,
    /// Nanoseconds.
    pub(super) ack_wait: u64,
    /// Unlimited: the worker enforces the limit, so that no message is ever stranded.
    pub(super) max_deliver: i64,
    pub(super) max_ack_pending: i64,
    pub(super) max_waiting: i64,
}

#[derive(Serialize)]
pub(super) struct Create<'a> {
    pub(super) stream_name: &'a str,
    pub(super) config: Made<'a>,
    pub(super) action: &'a str,
}

#[derive(Serialize)]
pub(super) struct Made<'a> {
    #[serde(flatten)]
    pub(super) consumer: &'a Consumer,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pause_until: Option<&'a str>,
}

#[derive(Deserialize)]
pub(super) struct ConsumerInfo {
    pub(super) config: Consumer,
    #[serde(default)]
    pub(super) paused: bool,
    /// All up to here was acknowledged, so a message that is there all the same was never delivered.
    #[serde(default)]
    pub(super) ack_floor: Position,
}

impl Consumer {
    /// Takes over the filters of `found` that this version does not know; says which are new to `found`.
    pub(super) fn add_filters_of(&mut self, found: &Self) -> Vec<String> {
        let theirs = found.filter_subject.iter().chain(&found.filter_subjects);
        let added = self.filter_subjects.iter();
        let added = added.filter(|filter| !theirs.clone().any(|theirs| theirs == *filter));
        let added = added.cloned().collect();
        for filter in theirs {
            if !self.filter_subjects.contains(filter) {
                self.filter_subjects.push(filter.clone());
            }
        }
        added
    }
}

pub(super) fn lease_time(consumer: &Consumer) -> Duration {
    Duration::from_nanos(consumer.ack_wait)
}

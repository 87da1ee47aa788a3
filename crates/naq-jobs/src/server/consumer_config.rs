//! What a consumer is asked to be, and what the server says that it is.

use std::time::Duration;

use naq_connection::Connection;
use serde::{Deserialize, Serialize};

use super::api::{ApiError, call, refused};
use super::consumer_state::Position;
use crate::{JobsError, JobsErrorKind};

/// Pull requests that may wait at the server: one per worker and queue, at least.
const MAX_WAITING: i64 = 10_000;

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
struct Create<'a> {
    stream_name: &'a str,
    config: Made<'a>,
    action: &'a str,
}

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    consumer: &'a Consumer,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause_until: Option<&'a str>,
}

#[derive(Deserialize)]
pub(super) struct ConsumerInfo {
    pub(super) config: Consumer,
    #[serde(default)]
    pub(super) paused: bool,
    /// All up to here was acknowledged, so a message that is there all the same was never delivered.
    #[serde(default)]
    pub(super) ack_floor: Position,
    /// Messages that were not delivered yet.
    #[serde(default)]
    pub(super) num_pending: u64,
    /// Messages that were delivered and not acknowledged.
    #[serde(default)]
    pub(super) num_ack_pending: u64,
}

impl Consumer {
    /// One that gives out each message of `filters` until it is acknowledged, `max_ack_pending` at a time.
    pub(super) fn new(
        name: String,
        filters: Vec<String>,
        ack_wait: Duration,
        max_ack_pending: i64,
    ) -> Self {
        Self {
            durable_name: name,
            filter_subject: None,
            filter_subjects: filters,
            ack_policy: "explicit".to_owned(),
            deliver_policy: "all".to_owned(),
            ack_wait: u64::try_from(ack_wait.as_nanos()).unwrap_or(u64::MAX),
            max_deliver: -1,
            max_ack_pending,
            max_waiting: MAX_WAITING,
        }
    }

    /// Makes it, or updates the one of this name. `what` names it in errors; an update leaves a pause as it is.
    pub(super) async fn make(
        &self,
        conn: &Connection,
        stream: &str,
        pause_until: Option<&str>,
        what: &str,
    ) -> Result<ConsumerInfo, JobsError> {
        let create = Create {
            stream_name: stream,
            config: Made {
                consumer: self,
                pause_until,
            },
            action: "",
        };
        let verb = format!("CONSUMER.CREATE.{stream}.{}", self.durable_name);
        match call::<ConsumerInfo>(conn, &verb, &create).await? {
            Ok(made) => Ok(made),
            Err(error) if error.err_code == ApiError::STREAM_NOT_FOUND => {
                let context = format!("make the consumer {what}: its stream is gone");
                Err(JobsError::new(JobsErrorKind::Unavailable, context))
            }
            Err(error) => Err(refused(format!("make the consumer {what}"), error)),
        }
    }

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

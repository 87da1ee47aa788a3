//! One fact, as a hook tells it: borrowed, and written down at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::EventType;
use crate::wire::millis;

/// What stands for a part of the subject that does not apply.
pub(crate) const NONE: &str = "-";

/// Longest text of an error or a message in an event, in bytes.
const MAX_TEXT: usize = 1024;

/// One fact. The parts that name its group are not written with it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fact<'a> {
    #[serde(skip)]
    pub(crate) event_type: EventType,
    #[serde(skip)]
    pub(crate) queue: &'a str,
    #[serde(skip)]
    pub(crate) kind: &'a str,
    #[serde(skip)]
    pub(crate) worker: &'a str,
    pub(crate) at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wait_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'a str>,
    /// Events that a gap stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<serde_json::Value>,
}

impl<'a> Fact<'a> {
    /// A fact of now, about nothing yet.
    pub(crate) fn now(event_type: EventType) -> Self {
        Self::at(event_type, now_ms())
    }

    /// A fact of then, about nothing yet.
    pub(crate) fn at(event_type: EventType, at_ms: u64) -> Self {
        Self {
            event_type,
            queue: NONE,
            kind: NONE,
            worker: NONE,
            at_ms,
            job_id: None,
            attempt: None,
            duration_ms: None,
            wait_ms: None,
            due_ms: None,
            reason: None,
            error_type: None,
            error: None,
            schedule: None,
            message: None,
            lost: None,
            details: None,
        }
    }

    /// A fact of now about a job.
    pub(crate) fn of(event_type: EventType, queue: &'a str, kind: &'a str, id: &'a str) -> Self {
        Self {
            queue,
            kind,
            job_id: Some(id),
            ..Self::now(event_type)
        }
    }

    /// Adds the time that an attempt took, in milliseconds with three places.
    pub(crate) fn took(mut self, duration: Duration) -> Self {
        let micros = u32::try_from(duration.as_micros()).map_or(f64::MAX, f64::from);
        self.duration_ms = Some(if micros == f64::MAX {
            (duration.as_secs_f64() * 1000.0).round()
        } else {
            micros / 1000.0
        });
        self
    }

    /// Adds an error, its text shortened.
    pub(crate) fn with_error(
        mut self,
        reason: &'a str,
        name: Option<&'a str>,
        text: &'a str,
    ) -> Self {
        self.reason = Some(reason);
        self.error_type = name;
        self.error = Some(shortened(text));
        self
    }
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT.min(text.len()))]
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(since.unwrap_or_default())
}

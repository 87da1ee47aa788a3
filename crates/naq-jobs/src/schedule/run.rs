//! A job that a schedule makes: its id, and what the record keeps of it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rule::is_zero;
use crate::model::{JobId, ScheduleName};
use crate::traces::Sending;

/// A job that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) at: Timestamp,
    pub(super) id: JobId,
    /// The job before whose end it does not start.
    pub(super) after: Option<JobId>,
    /// Its trace, if somebody makes spans.
    pub(super) sending: Option<Arc<Sending>>,
}

/// The last job that was made, by a firing or by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastRun {
    pub(super) at_s: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) at_ms: u16,
    pub(super) job_id: String,
}

/// The last job that a firing has made, while it matters whether that still runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastFired {
    pub(super) job_id: String,
    /// The job that it was kept back for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
}

impl Run {
    /// The run of a firing: its job's id names the schedule and the instant, in UTC.
    pub(super) fn fired(name: &ScheduleName, at: Timestamp) -> Option<Self> {
        let mut id = format!("{name}-{}", at.strftime("%Y%m%dT%H%M%S"));
        let millis = at.subsec_millisecond();
        if millis > 0 {
            id.push_str(&format!("_{millis:03}"));
        }
        id.push('Z');
        Self::new(at, id)
    }

    /// A run that somebody asked for at `now`.
    pub(super) fn triggered(name: &ScheduleName, now: Timestamp) -> Option<Self> {
        let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self::new(whole, format!("{name}-t{}", now.as_millisecond()))
    }

    fn new(at: Timestamp, id: String) -> Option<Self> {
        let id = JobId::new(id).ok()?;
        Some(Self {
            at,
            id,
            after: None,
            sending: None,
        })
    }

    /// The instant as a header says it: seconds since 1970, with milliseconds if there are any.
    pub(super) fn instant(&self) -> String {
        let (seconds, millis) = (self.at.as_second(), self.at.subsec_millisecond());
        match millis {
            0 => seconds.to_string(),
            millis => format!("{seconds}.{millis:03}"),
        }
    }
}

impl From<&Run> for LastRun {
    fn from(run: &Run) -> Self {
        Self {
            at_s: run.at.as_second(),
            at_ms: u16::try_from(run.at.subsec_millisecond()).unwrap_or(0),
            job_id: run.id.to_string(),
        }
    }
}

impl From<&Run> for LastFired {
    fn from(run: &Run) -> Self {
        Self {
            job_id: run.id.to_string(),
            after: run.after.as_ref().map(JobId::to_string),
        }
    }
}

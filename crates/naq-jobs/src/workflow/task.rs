//! The job of a node, until it may run.

use std::time::{SystemTime, UNIX_EPOCH};

use super::graph::Task;
use crate::model::{Due, Job};
use crate::wire::{encode, millis};
use crate::{JobsError, JobsErrorKind};

/// What is kept of a job until it may run.
pub(super) fn task<R>(name: &str, mut job: Job<R>) -> Result<Task, JobsError> {
    if job.id.is_some() || job.unique.is_some() {
        let context = format!(
            "add the node {name}: jobs of a workflow have their ids from it, and none of them is unique"
        );
        return Err(JobsError::new(JobsErrorKind::InvalidWorkflow, context));
    }
    let now = SystemTime::now();
    // What counts from when the job may run is set then.
    let deadline = job.deadline.take();
    let expires = match job.expires {
        Some(Due::In(time)) => {
            job.expires = None;
            Some(time)
        }
        _ => None,
    };
    let impossible = |e| JobsError::new(JobsErrorKind::InvalidPayload, "write a job").because(e);
    let text = encode(&job, now).map_err(impossible)?;
    let (delay_ms, at_ms) = match job.due {
        None => (None, None),
        Some(Due::In(delay)) => (Some(millis(delay)), None),
        Some(Due::At(at)) => (
            None,
            Some(millis(at.duration_since(UNIX_EPOCH).unwrap_or_default())),
        ),
    };
    let named = |(name, values): (&async_nats::HeaderName, &Vec<async_nats::HeaderValue>)| {
        let name: &str = name.as_ref();
        let values = values
            .iter()
            .map(|value| (name.to_owned(), value.to_string()));
        values.collect::<Vec<_>>()
    };
    Ok(Task {
        queue: job
            .queue
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        priority: job.priority,
        job: serde_json::from_slice(&text).map_err(impossible)?,
        delay_ms,
        at_ms,
        deadline_in_ms: deadline.map(millis),
        expires_in_ms: expires.map(millis),
        headers: job.headers.iter().flat_map(named).collect(),
    })
}

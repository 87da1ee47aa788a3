//! A job in words and as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use naq::{FlowPlace, JobInfo, JobStatus};
use serde_json::{Value, json};

use crate::duration::rough;

/// The status in one line.
pub(crate) fn status_text(status: &JobStatus) -> String {
    match status {
        JobStatus::Waiting { since, ahead } => {
            let line = ahead.map_or_else(String::new, |ahead| format!(", {ahead} before it"));
            format!("pending since {}{line}", ago(*since))
        }
        JobStatus::Running {
            worker,
            since,
            attempt,
            ..
        } => {
            let worker = worker
                .as_deref()
                .unwrap_or("a worker that does not show it");
            let attempt = attempt.map_or_else(String::new, |n| format!(", attempt {n}"));
            let since = since.map_or_else(String::new, |since| format!(", since {}", ago(since)));
            format!("running on {worker}{attempt}{since}")
        }
        JobStatus::Scheduled {
            due,
            retry,
            retries,
        } => {
            let due = due.map_or_else(|| "later".to_owned(), until);
            match retry {
                0 => format!("scheduled, due {due}"),
                retry => format!("retry {retry} of {retries}, due {due}"),
            }
        }
        JobStatus::Parked { why } => format!("paused, until {}", parked_text(why)),
        JobStatus::Ended {
            has_dead_letter: true,
            ..
        } => "failed, in the dead letters".to_owned(),
        JobStatus::Flow(place) => flow_text(place, status.word()),
        other => other.word().to_owned(),
    }
}

/// What a parked job waits for; `why` is the token of its subject.
pub(super) fn parked_text(why: &str) -> &'static str {
    match why.split('-').next() {
        Some("kind") => "a worker knows its kind, or the kind is resumed",
        Some("key") => "its limit has a place",
        Some("after") => "another job has ended",
        _ => "it is released",
    }
}

/// `waiting: the node load of etl-1`.
fn flow_text(place: &FlowPlace, word: &str) -> String {
    match place {
        FlowPlace::Node(place) => {
            format!("{word}: the node {} of {}", place.node, place.workflow)
        }
        _ => format!("{word}: a workflow"),
    }
}

/// All that is known, without the body.
pub(super) fn described(info: &JobInfo) -> Value {
    let mut value = json!({
        "id": info.id.as_str(),
        "status": info.status.word(),
        "queue": info.queue,
        "kind": info.kind,
        "attempts": info.attempts,
        "enqueued_at_ms": info.enqueued_at.and_then(ms),
    });
    let more = match &info.status {
        JobStatus::Waiting { since, ahead } => json!({ "since_ms": ms(*since), "ahead": ahead }),
        JobStatus::Running {
            worker,
            since,
            attempt,
            lease,
        } => json!({
            "worker": worker,
            "since_ms": since.and_then(ms),
            "attempt": attempt,
            "lease_s": lease.as_secs(),
        }),
        JobStatus::Scheduled {
            due,
            retry,
            retries,
        } => json!({
            "due_ms": due.and_then(ms), "retry": retry, "retries": retries,
        }),
        JobStatus::Parked { why } => json!({ "why": why }),
        JobStatus::Ended {
            outcome,
            has_dead_letter,
        } => json!({
            "outcome": outcome, "has_dead_letter": has_dead_letter,
        }),
        JobStatus::Flow(place) => match &**place {
            FlowPlace::Node(place) => json!({
                "workflow": place.workflow.as_str(), "node": place.node, "because": place.because,
            }),
            FlowPlace::Workflow {
                ended,
                nodes,
                running,
                ..
            } => json!({
                "nodes": nodes, "ended": ended, "running": running,
            }),
            _ => json!({}),
        },
        _ => json!({}),
    };
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

pub(super) fn ms(time: SystemTime) -> Option<u64> {
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

fn ago(time: SystemTime) -> String {
    rough(time.elapsed().unwrap_or_default())
}

/// `in 5m`, or `now`.
pub(super) fn until(time: SystemTime) -> String {
    match time.duration_since(SystemTime::now()) {
        Ok(left) => format!("in {}", rough(left)),
        Err(_) => "now".to_owned(),
    }
}

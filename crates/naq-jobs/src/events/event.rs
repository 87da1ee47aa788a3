//! One event, as a reader gets it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::EventType;
use super::fact::NONE;

/// The newest version of the schema that this build reads.
pub(crate) const VERSION: u32 = 1;

/// One event. Its JSON form is the one of `naq events --format json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// What it tells.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When, in milliseconds since 1970, by the clock of the process that tells it.
    pub at_ms: u64,
    /// The queue, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The kind of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The worker that tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// What is said besides.
    #[serde(flatten)]
    pub body: Body,
    /// Sequence of its message in the stream of events, and its place in the message: together they name it.
    pub sequence: u64,
    /// See [`Self::sequence`].
    pub position: u32,
}

/// What an event says besides its type, time and place. Which fields are there depends on the type; see
/// `docs/reference/events.md`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Body {
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Time that the attempt took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Time from enqueueing to the first attempt, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// When the job is to run, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_ms: Option<u64>,
    /// Why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The type of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The error, at most 1 KiB of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The recurring schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of a gap: events that were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Whatever else the type has.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

impl Event {
    /// When it was told, by the clock of the process that tells it.
    pub fn at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.at_ms)
    }

    /// The id of the job, if it is about one.
    pub fn job_id(&self) -> Option<&str> {
        self.body.job_id.as_deref()
    }

    /// Names this event among all of its stream.
    pub fn id(&self) -> (u64, u32) {
        (self.sequence, self.position)
    }

    /// Sorts the events of one job: by their time, and at the same millisecond by the order of a life.
    pub(crate) fn order(&self) -> (u64, u32, EventType, u64, u32) {
        let attempt = self.body.attempt.unwrap_or(0);
        (
            self.at_ms,
            attempt,
            self.event_type,
            self.sequence,
            self.position,
        )
    }
}

#[derive(Deserialize)]
struct Wire {
    v: u32,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    worker: Option<String>,
    events: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    at_ms: u64,
    #[serde(flatten)]
    body: Body,
}

/// Reads the body of a message, stored under `sequence`. Whatever is no batch of a known version is left out.
pub(crate) fn read_batch(body: &[u8], sequence: u64) -> Vec<Event> {
    let wire = match serde_json::from_slice::<Wire>(body) {
        Ok(wire) if wire.v <= VERSION => wire,
        Ok(wire) => {
            tracing::warn!(
                sequence,
                version = wire.v,
                "events of a newer version are left out"
            );
            return Vec::new();
        }
        Err(error) => {
            tracing::warn!(sequence, %error, "unreadable events are left out");
            return Vec::new();
        }
    };
    let event_type = EventType::read(&wire.event_type);
    let given = |part: &Option<String>| part.clone().filter(|part| part != NONE);
    let entries = wire.events.into_iter().zip(0..);
    let events = entries.map(|(entry, position)| Event {
        event_type,
        at_ms: entry.at_ms,
        queue: given(&wire.queue),
        kind: given(&wire.kind),
        worker: given(&wire.worker),
        body: entry.body,
        sequence,
        position,
    });
    events.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_specification_hold() {
        let vectors: Vec<Value> = serde_json::from_str(include_str!(
            "../../../../docs/reference/events-vectors.json"
        ))
        .unwrap();
        assert!(vectors.len() >= 5);
        for vector in vectors {
            let name = vector["name"].as_str().unwrap();
            let body = vector["body"].to_string();
            let read = read_batch(body.as_bytes(), 7);
            assert_eq!(
                serde_json::to_value(&read).unwrap(),
                vector["events"],
                "{name}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics_the_reader(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            drop(read_batch(&body, 1));
        }
    }
}

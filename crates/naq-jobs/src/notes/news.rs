//! A note as a value, and its body on the wire.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::wire::Outcome;

/// What a watcher is told about a job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum JobNews {
    /// How far it is.
    Progress(Progress),
    /// A part of its result, in the order in which they were made.
    Part(Part),
    /// A line of its log.
    Log(LogLine),
    /// It has ended. Nothing comes after this.
    End(Box<Outcome>),
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps that are done.
    pub done: u64,
    /// Steps in all; 0 if nobody knows.
    pub total: u64,
    /// What it does now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// Milliseconds since 1970, by the worker's clock.
    pub at_ms: u64,
}

/// A part of a job's result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    /// The value, as JSON.
    pub value: Box<RawValue>,
    /// The attempt, counted from 1: a later one makes its parts anew.
    pub attempt: u32,
    /// Milliseconds since 1970, by the worker's clock.
    pub at_ms: u64,
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// The text.
    pub message: String,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// Milliseconds since 1970, by the worker's clock.
    pub at_ms: u64,
}

/// What a handler says.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    Progress(Progress),
    Part(Part),
    Log(LogLine),
}

impl Said {
    /// The last part of its subject.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Progress(_) => "progress",
            Self::Part(_) => "part",
            Self::Log(_) => "log",
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let body = match self {
            Self::Progress(progress) => serde_json::to_vec(progress),
            Self::Part(part) => serde_json::to_vec(part),
            Self::Log(line) => serde_json::to_vec(line),
        };
        body.unwrap_or_default()
    }
}

impl JobNews {
    /// Reads a note; `None` if it is none that this version knows.
    pub(super) fn read(subject: &str, body: &[u8]) -> Option<Self> {
        match subject.rsplit('.').next()? {
            "progress" => serde_json::from_slice(body).ok().map(Self::Progress),
            "part" => serde_json::from_slice(body).ok().map(Self::Part),
            "log" => serde_json::from_slice(body).ok().map(Self::Log),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_survives_the_wire_and_a_strange_one_is_left_out() {
        let progress = Progress {
            done: 3,
            total: 10,
            message: Some("third page".to_owned()),
            attempt: 1,
            at_ms: 7,
        };
        let said = Said::Progress(progress.clone());
        let read = |kind: &str, body: &[u8]| JobNews::read(&format!("naq.note.a.{kind}"), body);
        assert!(
            matches!(read(said.kind(), &said.body()), Some(JobNews::Progress(p)) if p == progress)
        );
        assert!(read("later", &said.body()).is_none());
        assert!(read("log", b"no JSON").is_none());
    }
}

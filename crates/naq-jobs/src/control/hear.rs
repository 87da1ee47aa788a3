//! What is pushed on the control subjects: a setting, whole and with its sequence, or a hint to look at parked jobs.

use serde::{Deserialize, Serialize};

use super::{KindSetting, QueueSetting, Versioned, WorkerSetting};
use crate::model::Priority;

/// A push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum News {
    /// What is set for the queue of the subject.
    Queue(Pushed<QueueSetting>),
    /// What is set for a kind.
    Kind(Pushed<KindSetting>),
    /// What is set for the worker of the subject.
    Worker(Pushed<WorkerSetting>),
    /// A job of an unknown kind was parked in the queue of the subject.
    Parked(ParkedJob),
    /// A place of the queue of the subject has become free.
    Room,
    /// What waits for a place of the queue of the subject in a worker.
    InLine(InLine),
    /// A job that holds a place was delivered to another worker, which has taken the place over.
    TakenOver(TakenOver),
}

/// Who waits for a place in a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InLine {
    /// The best priority that waits; `None`: nobody does, or there is no slot for it.
    pub(crate) priority: Option<Priority>,
    pub(crate) worker: String,
}

/// A job that another worker has now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TakenOver {
    pub(crate) id: String,
    /// Its sequence in the stream: what runs under another one is another message.
    pub(crate) sequence: u64,
    /// The worker that has it.
    pub(crate) worker: String,
}

/// A job that was parked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ParkedJob {
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// A setting on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pushed<T> {
    sequence: u64,
    setting: T,
}

impl<T> From<Pushed<T>> for Versioned<T> {
    fn from(pushed: Pushed<T>) -> Self {
        Self {
            value: pushed.setting,
            sequence: pushed.sequence,
        }
    }
}

impl<T> From<Versioned<T>> for Pushed<T> {
    fn from(versioned: Versioned<T>) -> Self {
        Self {
            sequence: versioned.sequence,
            setting: versioned.value,
        }
    }
}

/// Reads a push. `None` for what this version does not know, such as the word `consumer`.
pub(crate) fn hear(body: &[u8]) -> Option<News> {
    serde_json::from_slice(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_read_back_and_others_are_left_alone() {
        let news = News::Queue(Pushed {
            sequence: 7,
            setting: QueueSetting {
                scale: Some(3),
                ..QueueSetting::default()
            },
        });
        let body = serde_json::to_vec(&news).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&body),
            r#"{"queue":{"sequence":7,"setting":{"scale":3}}}"#
        );
        assert_eq!(hear(&body), Some(news));
        assert_eq!(hear(b"consumer"), None);
        assert_eq!(hear(br#"{"later":1}"#), None);
    }
}

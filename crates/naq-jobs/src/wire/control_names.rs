//! The names of what is set at run time, of parked jobs and of limits.

use super::hash::token;
use super::names::Names;
use crate::model::{JobId, QueueName};

/// Jobs that a limit counts together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Counted {
    /// All of a queue.
    Queue(QueueName),
    /// Those of a queue with this limit key.
    Key(QueueName, String),
    /// All of a kind, in whatever queue.
    Kind(String),
}

/// A limit key in a subject; `None` is the whole queue.
fn key_token(key: Option<&str>) -> String {
    key.map_or_else(|| "all".to_owned(), token)
}

impl Counted {
    /// Two tokens of a subject. No queue has the name `$kind`.
    fn tokens(&self) -> String {
        match self {
            Self::Queue(queue) => format!("{queue}.{}", key_token(None)),
            Self::Key(queue, key) => format!("{queue}.{}", key_token(Some(key))),
            Self::Kind(kind) => format!("$kind.{}", token(kind)),
        }
    }
}

impl Names {
    /// Where a job is parked; `why` is one token.
    pub(crate) fn parked(&self, queue: &QueueName, why: &str, id: &JobId) -> String {
        format!("{}.parked.{queue}.{why}.{id}", self.prefix)
    }

    /// The jobs that are parked for this reason, in one queue or in all.
    pub(crate) fn parked_filter(&self, queue: Option<&QueueName>, why: &str) -> String {
        let queue = queue.map_or("*", QueueName::as_str);
        format!("{}.parked.{queue}.{why}.*", self.prefix)
    }

    /// Who holds a limited place, and how far a rate is booked.
    pub(crate) fn limits_stream(&self) -> String {
        format!("{}_limits", self.prefix)
    }

    /// Subjects of [`Self::limits_stream`].
    pub(crate) fn limits_subjects(&self) -> Vec<String> {
        vec![
            format!("{}.slot.*.*.*", self.prefix),
            format!("{}.bucket.*.*", self.prefix),
        ]
    }

    /// One of the places that jobs have which are counted together.
    pub(crate) fn place(&self, counted: &Counted, number: u32) -> String {
        format!("{}.slot.{}.{number}", self.prefix, counted.tokens())
    }

    /// All these places.
    pub(crate) fn places(&self, counted: &Counted) -> String {
        format!("{}.slot.{}.*", self.prefix, counted.tokens())
    }

    /// How far a rate is booked: that of a limit key, or of the queue.
    pub(crate) fn bucket(&self, queue: &QueueName, key: Option<&str>) -> String {
        format!("{}.bucket.{queue}.{}", self.prefix, key_token(key))
    }

    /// What is set at run time.
    pub(crate) fn settings_stream(&self) -> String {
        format!("{}_settings", self.prefix)
    }

    /// All that is set at run time.
    pub(crate) fn settings_filter(&self) -> String {
        format!("{}.setting.*.*", self.prefix)
    }

    /// What is set for a queue.
    pub(crate) fn queue_setting(&self, queue: &QueueName) -> String {
        format!("{}.setting.queue.{queue}", self.prefix)
    }

    /// What is set for a kind.
    pub(crate) fn kind_setting(&self, kind: &str) -> String {
        format!("{}.setting.kind.{}", self.prefix, token(kind))
    }

    /// What is set for all kinds.
    pub(crate) fn kind_settings(&self) -> String {
        format!("{}.setting.kind.*", self.prefix)
    }

    /// What is set for a worker.
    pub(crate) fn worker_setting(&self, id: &str) -> String {
        format!("{}.setting.worker.{id}", self.prefix)
    }

    /// Where workers hear that a kind was paused or resumed; not stored.
    pub(crate) fn control_kind(&self, kind: &str) -> String {
        format!("{}.control.kind.{}", self.prefix, token(kind))
    }

    /// All of [`Self::control_kind`].
    pub(crate) fn control_kinds(&self) -> String {
        format!("{}.control.kind.*", self.prefix)
    }

    /// Where a worker hears what is set for it; not stored.
    pub(crate) fn control_worker(&self, id: &str) -> String {
        format!("{}.control.worker.{id}", self.prefix)
    }
}

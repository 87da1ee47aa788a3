//! Names of the places of unique jobs.

use std::fmt::Display;

use super::Names;
use super::unique::{KeyHash, Place, UniqueSubject};
use crate::model::QueueName;

impl Names {
    /// Where a unique job lies.
    pub(crate) fn unique(&self, subject: &UniqueSubject) -> String {
        let UniqueSubject {
            queue,
            place,
            key,
            id,
        } = subject;
        format!("{}.unique.{queue}.{place}.{key}.{id}", self.prefix)
    }

    /// All that a key can be. Always this text: servers of a cluster compare by it what they have not stored yet.
    pub(crate) fn unique_filter(&self, queue: &QueueName, key: &KeyHash) -> String {
        format!("{}.unique.{queue}.*.{key}.*", self.prefix)
    }

    /// The marker of a window.
    pub(crate) fn window_filter(&self, queue: &QueueName, key: &KeyHash) -> String {
        format!("{}.unique.{queue}.{}.{key}.*", self.prefix, Place::Window)
    }

    /// The unique jobs of all queues at a place, or at all (`*`).
    pub(crate) fn all_unique(&self, place: impl Display) -> String {
        format!("{}.unique.*.{place}.*.*", self.prefix)
    }
}

//! The records of what is set at run time.

use std::collections::BTreeSet;

use naq_config::settings::Rate;
use serde::{Deserialize, Serialize};

use super::rate_text;
use crate::model::Priority;

/// Since when something is paused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Milliseconds since 1970, by the clock of who paused it.
    pub since_ms: u64,
    /// Why, in the words of who paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What is set for a queue. A field without a value leaves it to the configuration; 0 takes a limit of it away.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueSetting {
    /// Its jobs wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Slots of each worker that serves it, unless the worker has been scaled by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// Jobs of it that one worker runs at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Jobs of it that run at the same time, over all workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// Jobs of one limit key that run at the same time, over all workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running_per_key: Option<u32>,
    /// Starts of its jobs, over all workers.
    #[serde(default, with = "rate_text", skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Starts of jobs of one limit key, over all workers.
    #[serde(default, with = "rate_text", skip_serializing_if = "Option::is_none")]
    pub rate_per_key: Option<Rate>,
    /// How its priorities share the workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<QueueOrder>,
    /// Priorities besides the normal one that were ever used: their consumers exist.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub levels: BTreeSet<Priority>,
}

/// How the priorities of a queue share the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueOrder {
    /// A lower one waits while a higher one has jobs.
    #[default]
    Strict,
    /// Of 9 jobs, 6 are high, 2 normal, 1 low, while all have some.
    Weighted,
}

/// What is set for a job kind, in all queues.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KindSetting {
    /// The kind.
    pub kind: String,
    /// Its jobs wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Jobs of it that run at the same time, over all workers and queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
}

/// What is set for one worker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkerSetting {
    /// It takes no more jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Paused>,
    /// Its slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// It is to stop for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Paused>,
}

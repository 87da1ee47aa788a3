//! Parked jobs of kinds that run here: this worker may release them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::control::ParkedJob;
use crate::model::QueueName;

/// Most that are remembered; those beyond come back by themselves.
const MOST: usize = 1000;

/// The parked jobs of which the worker has heard, with their queues.
#[derive(Debug, Default)]
pub(super) struct Hints {
    heard: Mutex<HashSet<(QueueName, ParkedJob)>>,
    added: Notify,
}

impl Hints {
    /// Remembers one.
    pub(super) fn add(&self, queue: &QueueName, job: ParkedJob) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < MOST {
            heard.insert((queue.clone(), job));
            self.added.notify_one();
        }
    }

    /// Those since the last call, as soon as there are any.
    pub(super) async fn all(&self) -> Vec<(QueueName, ParkedJob)> {
        self.added.notified().await;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.drain().collect()
    }
}

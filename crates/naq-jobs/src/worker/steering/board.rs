//! What is set at run time, as the worker knows it. Pure.

use std::collections::HashMap;

use naq_config::settings::QueuesSettings;

use crate::control::{KindSetting, QueueOrder, QueueSetting, Versioned, WorkerSetting};
use crate::model::QueueName;
use crate::worker::limit::QueueLimits;

/// The settings of queues, kinds and this worker.
#[derive(Debug, Default)]
pub(super) struct Board {
    queues: HashMap<QueueName, Versioned<QueueSetting>>,
    kinds: HashMap<String, Versioned<KindSetting>>,
    worker: Versioned<WorkerSetting>,
}

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum Source {
    Read,
    Push,
}

impl Board {
    /// Takes the setting of a queue; says whether it is news, as the others do.
    pub(super) fn set_queue(
        &mut self,
        queue: &QueueName,
        setting: Versioned<QueueSetting>,
        source: Source,
    ) -> bool {
        let known = self.queues.entry(queue.clone()).or_default();
        take(known, setting, source)
    }

    pub(super) fn set_kind(
        &mut self,
        kind: String,
        setting: Versioned<KindSetting>,
        source: Source,
    ) -> bool {
        take(self.kinds.entry(kind).or_default(), setting, source)
    }

    pub(super) fn set_worker(&mut self, setting: Versioned<WorkerSetting>, source: Source) -> bool {
        // It expires; a worker that lives longer keeps what it has heard.
        setting.sequence > 0 && take(&mut self.worker, setting, source)
    }

    /// Whether anything was ever set for this worker.
    pub(super) fn is_worker_set(&self) -> bool {
        self.worker.sequence > 0
    }

    pub(super) fn queue(&self, queue: &QueueName) -> Option<&QueueSetting> {
        self.queues.get(queue).map(|queue| &queue.value)
    }

    pub(super) fn kind(&self, kind: &str) -> Option<&KindSetting> {
        self.kinds.get(kind).map(|kind| &kind.value)
    }

    pub(super) fn worker(&self) -> &WorkerSetting {
        &self.worker.value
    }

    /// The slots of a worker that serves `queues` and was started with `planned` of them.
    pub(super) fn capacity(&self, queues: &[QueueName], planned: u32) -> u32 {
        let scales = queues.iter().filter_map(|queue| self.queue(queue)?.scale);
        // Each queue keeps a slot, so a worker never has fewer.
        let least = u32::try_from(queues.len()).unwrap_or(u32::MAX);
        let set = self.worker().concurrency.or(scales.max());
        set.unwrap_or(planned).max(least)
    }

    /// Whether any kind is paused or limited.
    pub(super) fn has_rules_for_kinds(&self) -> bool {
        let mut kinds = self.kinds.values().map(|kind| &kind.value);
        kinds.any(|kind| kind.paused.is_some() || kind.max_running.is_some())
    }

    /// How the priorities of a queue share what there is.
    pub(super) fn order(&self, queue: &QueueName) -> QueueOrder {
        let set = self.queue(queue).and_then(|set| set.order);
        set.unwrap_or_default()
    }

    /// The limits of a queue that are looked at for each of its jobs; what is set wins over what is configured.
    pub(super) fn limits(&self, configured: &QueuesSettings, queue: &QueueName) -> QueueLimits {
        let configured = configured.configs.get(queue.as_str());
        let set = self.queue(queue);
        let per_key = set.and_then(|set| set.max_running_per_key);
        let per_key = per_key.or(configured.and_then(|c| c.max_running_per_key));
        QueueLimits {
            // With one priority the server counts.
            together: set
                .filter(|set| !set.levels.is_empty())
                .and_then(|set| set.max_running)
                .filter(|limit| *limit > 0),
            per_key: per_key.filter(|limit| *limit > 0),
            rate: set
                .and_then(|set| set.rate)
                .or(configured.and_then(|c| c.rate)),
            rate_per_key: set
                .and_then(|set| set.rate_per_key)
                .or(configured.and_then(|c| c.rate_per_key)),
        }
    }
}

/// Takes a setting that is news; says whether it is.
fn take<T: PartialEq>(known: &mut Versioned<T>, setting: Versioned<T>, source: Source) -> bool {
    let is_newer = source == Source::Read || setting.sequence > known.sequence;
    if !is_newer || *known == setting {
        return false;
    }
    *known = setting;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_push_changes_nothing_and_a_read_always_counts() {
        let setting = |value: u32, sequence| Versioned { value, sequence };
        let mut known = setting(1, 5);
        assert!(!take(&mut known, setting(2, 4), Source::Push));
        assert!(!take(&mut known, setting(2, 5), Source::Push));
        assert!(take(&mut known, setting(2, 6), Source::Push));
        assert!(!take(&mut known, setting(2, 6), Source::Read));
        assert!(
            take(&mut known, setting(0, 0), Source::Read),
            "the stream was made anew"
        );
        assert_eq!(known.value, 0);
    }
}

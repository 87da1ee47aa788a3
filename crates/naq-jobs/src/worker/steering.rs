//! What is set at run time, as this worker knows it, and what follows from it for its slots.
//!
//! A setting that is read at a new connection is taken as it is; a push only if it is newer than what is known, since it
//! may be late or doubled.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::hints::Hints;
use super::limit::QueueLimits;
use super::permits::Permits;
use super::shared_slots::SharedSlots;
use super::slots::QueueTerms;
use crate::control::{
    KindSetting, ParkedJob, QueueOrder, QueueSetting, Versioned, WorkerSetting, terms,
};
use crate::model::{Priority, QueueName};
use crate::server::Link;

/// Steers one worker.
#[derive(Debug)]
pub(super) struct Steering {
    link: Link,
    /// The slots that it was started with.
    planned: u32,
    queues: Vec<QueueName>,
    board: Mutex<Board>,
    slots: SharedSlots,
    pub(super) permits: Permits,
    steered: watch::Sender<Steered>,
    /// Priorities that queues use besides the normal one; grows only.
    levels: watch::Sender<BTreeSet<(QueueName, Priority)>>,
    hints: Hints,
    /// A kind is paused or limited, or a queue has limits that are looked at for each job.
    has_rules: AtomicBool,
}

#[derive(Debug, Default)]
struct Board {
    queues: HashMap<QueueName, Versioned<QueueSetting>>,
    kinds: HashMap<String, Versioned<KindSetting>>,
    worker: Versioned<WorkerSetting>,
}

/// What the loops of the worker follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steered {
    /// It takes no more jobs.
    pub(super) is_quiet: bool,
    /// It is to end.
    pub(super) has_to_stop: bool,
    /// Its slots.
    pub(super) capacity: u32,
}

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Read,
    Push,
}

impl Steering {
    pub(super) fn new(
        link: Link,
        planned: u32,
        queues: Vec<QueueName>,
        slots: SharedSlots,
    ) -> Self {
        let steering = Self {
            link,
            planned,
            queues,
            board: Mutex::default(),
            slots,
            permits: Permits::new(planned),
            steered: watch::Sender::new(Steered {
                is_quiet: false,
                has_to_stop: false,
                capacity: planned,
            }),
            levels: watch::Sender::default(),
            hints: Hints::default(),
            has_rules: AtomicBool::new(false),
        };
        steering.apply();
        steering
    }

    /// Hears of the setting of a queue.
    pub(super) fn set_queue(
        &self,
        queue: &QueueName,
        setting: Versioned<QueueSetting>,
        source: Source,
    ) {
        let mut board = self.lock();
        self.use_levels(queue, &setting.value);
        let known = board.queues.entry(queue.clone()).or_default();
        let is_news = take(known, setting, source);
        drop(board);
        if is_news {
            self.apply();
        }
    }

    fn use_levels(&self, queue: &QueueName, setting: &QueueSetting) {
        self.levels.send_if_modified(|levels| {
            let before = levels.len();
            levels.extend(setting.levels.iter().map(|level| (queue.clone(), *level)));
            levels.len() > before
        });
    }

    /// Completes when jobs of a queue have this priority.
    pub(super) async fn uses(&self, queue: &QueueName, priority: Priority) {
        let mut levels = self.levels.subscribe();
        let level = (queue.clone(), priority);
        // The sender lives here, so this cannot fail.
        drop(levels.wait_for(|levels| levels.contains(&level)).await);
    }

    /// Hears of the setting of a kind.
    pub(super) fn set_kind(&self, setting: Versioned<KindSetting>, source: Source) {
        let kind = setting.value.kind.clone();
        self.set_kind_of(kind, setting, source);
    }

    /// As [`Self::set_kind`], also if nothing is set for the kind.
    pub(super) fn set_kind_of(
        &self,
        kind: String,
        setting: Versioned<KindSetting>,
        source: Source,
    ) {
        let mut board = self.lock();
        let known = board.kinds.entry(kind).or_default();
        let is_news = take(known, setting, source);
        drop(board);
        if is_news {
            self.apply();
        }
    }

    /// Hears of the setting of this worker.
    pub(super) fn set_worker(&self, setting: Versioned<WorkerSetting>, source: Source) {
        // It expires; a worker that lives longer keeps what it has heard.
        if setting.sequence == 0 {
            return;
        }
        let is_news = take(&mut self.lock().worker, setting, source);
        if is_news {
            self.apply();
        }
    }

    /// Hears of a job that was parked because somebody else did not know its kind.
    ///
    /// A worker without a free slot leaves it alone: it would only go back to who does not know it.
    pub(super) fn hint(&self, queue: &QueueName, job: ParkedJob) {
        if self.now().is_quiet || !self.slots.with(|slots| slots.has_room()) {
            return;
        }
        self.hints.add(queue, job);
    }

    /// The jobs of which it has heard since the last call, as soon as there are any.
    pub(super) async fn hints(&self) -> Vec<(QueueName, ParkedJob)> {
        self.hints.all().await
    }

    /// Whether anything was ever set for this worker.
    pub(super) fn is_set(&self) -> bool {
        self.lock().worker.sequence > 0
    }

    /// What the loops follow, and its changes.
    pub(super) fn watch(&self) -> watch::Receiver<Steered> {
        self.steered.subscribe()
    }

    /// What the loops follow now.
    pub(super) fn now(&self) -> Steered {
        *self.steered.borrow()
    }

    /// Whether any job has to be looked at before it runs.
    pub(super) fn has_rules(&self) -> bool {
        self.has_rules.load(Ordering::Acquire)
    }

    /// What is set for a queue.
    pub(super) fn queue(&self, queue: &QueueName) -> QueueSetting {
        let board = self.lock();
        board
            .queues
            .get(queue)
            .map(|q| q.value.clone())
            .unwrap_or_default()
    }

    /// Whether the jobs of a kind wait.
    pub(super) fn is_paused(&self, kind: &str) -> bool {
        let board = self.lock();
        board
            .kinds
            .get(kind)
            .is_some_and(|kind| kind.value.paused.is_some())
    }

    /// Jobs of a kind that may run at the same time, over all workers.
    pub(super) fn limit_of_kind(&self, kind: &str) -> Option<u32> {
        self.lock().kinds.get(kind)?.value.max_running
    }

    /// Makes the slots what the settings ask for.
    fn apply(&self) {
        let board = self.lock();
        let scale = self
            .queues
            .iter()
            .filter_map(|q| board.queues.get(q)?.value.scale)
            .max();
        // Each queue keeps a slot, so a worker never has fewer.
        let least = u32::try_from(self.queues.len()).unwrap_or(u32::MAX);
        let capacity = board
            .worker
            .value
            .concurrency
            .or(scale)
            .unwrap_or(self.planned)
            .max(least);
        let terms: Vec<QueueTerms> = self.queues.iter().map(|q| self.terms(&board, q)).collect();
        let has_rules = board
            .kinds
            .values()
            .any(|kind| kind.value.paused.is_some() || kind.value.max_running.is_some())
            || self
                .queues
                .iter()
                .any(|queue| self.limits_on(&board, queue).is_any());
        self.has_rules.store(has_rules, Ordering::Release);
        let now = Steered {
            is_quiet: board.worker.value.quiet.is_some(),
            has_to_stop: board.worker.value.stop.is_some(),
            capacity,
        };
        // Still under the lock, so that two changes are applied in their order.
        self.permits.resize(self.now().capacity, capacity);
        self.slots.resize(capacity, terms.into_iter());
        self.steered
            .send_if_modified(|before| std::mem::replace(before, now) != now);
    }

    /// What the slots get for a queue; a limit of 0 at run time means none.
    fn terms(&self, board: &Board, queue: &QueueName) -> QueueTerms {
        let configured = self.link.settings().queues.configs.get(queue.as_str());
        let set = board.queues.get(queue).map(|queue| &queue.value);
        let cap = set.and_then(|set| set.concurrency);
        let cap = cap.or(configured.and_then(|c| c.concurrency));
        QueueTerms {
            cap: cap.filter(|cap| *cap > 0),
            order: set.and_then(|set| set.order).unwrap_or_default(),
            given: self
                .limits_on(board, queue)
                .together
                .and(set)
                .map(|set| terms(&self.link, queue, set).max_ack_pending),
        }
    }

    /// The limits of a queue that are looked at for each of its jobs.
    pub(super) fn limits(&self, queue: &QueueName) -> QueueLimits {
        self.limits_on(&self.lock(), queue)
    }

    /// How the priorities of a queue share what there is.
    pub(super) fn order(&self, queue: &QueueName) -> QueueOrder {
        let board = self.lock();
        let set = board.queues.get(queue);
        set.and_then(|set| set.value.order).unwrap_or_default()
    }

    fn limits_on(&self, board: &Board, queue: &QueueName) -> QueueLimits {
        let configured = self.link.settings().queues.configs.get(queue.as_str());
        let set = board.queues.get(queue).map(|queue| &queue.value);
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

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
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

//! Hears of settings, and makes the slots what they ask for.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use naq_config::settings::QueuesSettings;
use tokio::sync::watch;

use super::board::{Board, Source};
use super::hints::Hints;
use crate::control::{
    KindSetting, ParkedJob, QueueOrder, QueueSetting, Versioned, WorkerSetting, terms,
};
use crate::model::{Priority, QueueName};
use crate::server::Link;
use crate::worker::limit::QueueLimits;
use crate::worker::permits::Permits;
use crate::worker::shared_slots::SharedSlots;
use crate::worker::slots::QueueTerms;

/// Steers one worker.
#[derive(Debug)]
pub(in crate::worker) struct Steering {
    link: Link,
    /// The slots that it was started with.
    planned: u32,
    queues: Vec<QueueName>,
    board: Mutex<Board>,
    slots: SharedSlots,
    pub(in crate::worker) permits: Permits,
    steered: watch::Sender<Steered>,
    /// Priorities that queues use besides the normal one; grows only.
    levels: watch::Sender<BTreeSet<(QueueName, Priority)>>,
    hints: Hints,
    /// A kind is paused or limited, or a queue has limits that are looked at for each job.
    has_rules: AtomicBool,
}

/// What the loops of the worker follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) struct Steered {
    /// It takes no more jobs.
    pub(in crate::worker) is_quiet: bool,
    /// It is to end.
    pub(in crate::worker) has_to_stop: bool,
    /// Its slots.
    pub(in crate::worker) capacity: u32,
}

impl Steering {
    pub(in crate::worker) fn new(
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
    pub(in crate::worker) fn set_queue(
        &self,
        queue: &QueueName,
        setting: Versioned<QueueSetting>,
        source: Source,
    ) {
        let mut board = self.lock();
        self.use_levels(queue, &setting.value);
        let is_news = board.set_queue(queue, setting, source);
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
    pub(in crate::worker) async fn uses(&self, queue: &QueueName, priority: Priority) {
        let mut levels = self.levels.subscribe();
        let level = (queue.clone(), priority);
        // The sender lives here, so this cannot fail.
        drop(levels.wait_for(|levels| levels.contains(&level)).await);
    }

    /// Hears of the setting of a kind.
    pub(in crate::worker) fn set_kind(&self, setting: Versioned<KindSetting>, source: Source) {
        let kind = setting.value.kind.clone();
        self.set_kind_of(kind, setting, source);
    }

    /// As [`Self::set_kind`], also if nothing is set for the kind.
    pub(in crate::worker) fn set_kind_of(
        &self,
        kind: String,
        setting: Versioned<KindSetting>,
        source: Source,
    ) {
        let is_news = self.lock().set_kind(kind, setting, source);
        if is_news {
            self.apply();
        }
    }

    /// Hears of the setting of this worker.
    pub(in crate::worker) fn set_worker(&self, setting: Versioned<WorkerSetting>, source: Source) {
        let is_news = self.lock().set_worker(setting, source);
        if is_news {
            self.apply();
        }
    }

    /// Hears of a job that was parked because somebody else did not know its kind.
    ///
    /// A worker without a free slot leaves it alone: it would only go back to who does not know it.
    pub(in crate::worker) fn hint(&self, queue: &QueueName, job: ParkedJob) {
        if self.now().is_quiet || !self.slots.with(|slots| slots.has_room()) {
            return;
        }
        self.hints.add(queue, job);
    }

    /// The jobs of which it has heard since the last call, as soon as there are any.
    pub(in crate::worker) async fn hints(&self) -> Vec<(QueueName, ParkedJob)> {
        self.hints.all().await
    }

    /// Whether anything was ever set for this worker.
    pub(in crate::worker) fn is_set(&self) -> bool {
        self.lock().is_worker_set()
    }

    /// What the loops follow, and its changes.
    pub(in crate::worker) fn watch(&self) -> watch::Receiver<Steered> {
        self.steered.subscribe()
    }

    /// What the loops follow now.
    pub(in crate::worker) fn now(&self) -> Steered {
        *self.steered.borrow()
    }

    /// Whether any job has to be looked at before it runs.
    pub(in crate::worker) fn has_rules(&self) -> bool {
        self.has_rules.load(Ordering::Acquire)
    }

    /// What is set for a queue.
    pub(in crate::worker) fn queue(&self, queue: &QueueName) -> QueueSetting {
        let board = self.lock();
        board.queue(queue).cloned().unwrap_or_default()
    }

    /// Whether the jobs of a kind wait.
    pub(in crate::worker) fn is_paused(&self, kind: &str) -> bool {
        let board = self.lock();
        board.kind(kind).is_some_and(|kind| kind.paused.is_some())
    }

    /// Jobs of a kind that may run at the same time, over all workers.
    pub(in crate::worker) fn limit_of_kind(&self, kind: &str) -> Option<u32> {
        self.lock().kind(kind)?.max_running
    }

    /// Makes the slots what the settings ask for.
    fn apply(&self) {
        let board = self.lock();
        let capacity = board.capacity(&self.queues, self.planned);
        let terms: Vec<QueueTerms> = self.queues.iter().map(|q| self.terms(&board, q)).collect();
        let has_rules = board.has_rules_for_kinds()
            || (self.queues.iter()).any(|queue| board.limits(self.configured(), queue).is_any());
        self.has_rules.store(has_rules, Ordering::Release);
        let now = Steered {
            is_quiet: board.worker().quiet.is_some(),
            has_to_stop: board.worker().stop.is_some(),
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
        let configured = self.configured().configs.get(queue.as_str());
        let set = board.queue(queue);
        let cap = set.and_then(|set| set.concurrency);
        let cap = cap.or(configured.and_then(|c| c.concurrency));
        QueueTerms {
            cap: cap.filter(|cap| *cap > 0),
            order: board.order(queue),
            given: board
                .limits(self.configured(), queue)
                .together
                .and(set)
                .map(|set| terms(&self.link, queue, set).max_ack_pending),
        }
    }

    /// The limits of a queue that are looked at for each of its jobs.
    pub(in crate::worker) fn limits(&self, queue: &QueueName) -> QueueLimits {
        self.lock().limits(self.configured(), queue)
    }

    /// How the priorities of a queue share what there is.
    pub(in crate::worker) fn order(&self, queue: &QueueName) -> QueueOrder {
        self.lock().order(queue)
    }

    fn configured(&self) -> &QueuesSettings {
        &self.link.settings().queues
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The table of the leases that are held now.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::held::{Held, Key, Now};
use super::hold::Hold;
use super::lease::Lease;
use crate::model::{JobId, QueueName};
use crate::wire::RunningJob;
use crate::worker::JobContext;
use crate::worker::delivery::Delivered;
use crate::worker::signal::Signal;

/// The leases held now. A cheap handle.
#[derive(Debug, Default, Clone)]
pub(in crate::worker) struct Holds(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    /// Rings when a lease time has changed.
    changed: Notify,
    /// Rings when another attempt runs, or one less.
    stirred: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    /// The lease time of each queue.
    pub(super) ack_waits: HashMap<QueueName, Duration>,
    pub(super) held: HashMap<Key, Arc<Held>, foldhash::fast::RandomState>,
}

impl Holds {
    /// A job was delivered now. `None` if it is held here already: then that goes on under the new lease and is
    /// acknowledged where the new delivery wants it.
    ///
    /// A server that was killed forgets the last deliveries before it, and delivers them again when it is back.
    pub(in crate::worker) fn take(&self, job: &Delivered) -> Option<Hold> {
        let key = Key {
            id: job.id.clone(),
            sequence: job.sequence,
        };
        self.insert(key, &job.queue, job.reply.clone(), job.ack_wait)
    }

    pub(super) fn insert(
        &self,
        key: Key,
        queue: &QueueName,
        reply: Subject,
        ack_wait: Duration,
    ) -> Option<Hold> {
        let now = Instant::now();
        let mut table = self.lock();
        let place = match table.held.entry(key) {
            Entry::Occupied(before) if before.get().prolong(&reply, now, ack_wait) => return None,
            place => place,
        };
        let held = Arc::new(Held {
            key: place.key().clone(),
            queue: queue.clone(),
            now: Mutex::new(Now {
                lease: Lease::new(now, ack_wait),
                reply,
                is_replaced: false,
                running: None,
            }),
            moved: Notify::new(),
            lost: Signal::default(),
        });
        match place {
            Entry::Vacant(place) => drop(place.insert(Arc::clone(&held))),
            Entry::Occupied(mut before) => {
                // Only a lapsed one gets here.
                let before = before.insert(Arc::clone(&held));
                before.lock().is_replaced = true;
                before.lost.give();
            }
        }
        drop(table);
        Some(Hold::new(self.clone(), held))
    }

    /// The jobs whose attempts run now, oldest first.
    pub(in crate::worker) fn running(&self) -> Vec<RunningJob> {
        let table = self.lock();
        let running = table.held.values().filter_map(|held| {
            let now = held.lock();
            let (context, since) = now.running.as_ref()?;
            Some(shown(context, *since))
        });
        let mut list: Vec<_> = running.collect();
        drop(table);
        list.sort_by_key(|job| job.started_at_ms);
        list
    }

    /// The running attempt of a job.
    pub(in crate::worker) fn attempt_of(&self, id: &JobId) -> Option<JobContext> {
        let table = self.lock();
        let ours = table.held.values().filter(|held| held.key.id == *id);
        let mut running = ours.filter_map(|held| held.lock().running.clone());
        running.next().map(|(context, _)| context)
    }

    /// Another worker has this delivery now: what runs of it here is over, and is not answered for.
    pub(in crate::worker) fn give_up(&self, id: &JobId, sequence: u64) {
        let key = Key {
            id: id.clone(),
            sequence,
        };
        let held = self.lock().held.get(&key).cloned();
        if let Some(held) = held {
            self.give_up_held(&held);
        }
    }

    /// As [`Self::give_up`]; a newer delivery that has taken its place goes on.
    pub(super) fn give_up_held(&self, held: &Held) {
        if self.remove(held) {
            held.lost.give();
            tracing::info!(id = %held.key.id, "another worker has taken the job over");
        }
    }

    /// Takes it out of the table; `false` if a newer delivery has taken its place, or it is out.
    pub(super) fn remove(&self, held: &Held) -> bool {
        let mut table = self.lock();
        let mut now = held.lock();
        if now.is_replaced {
            return false;
        }
        now.is_replaced = true;
        table.held.remove(&held.key);
        true
    }

    /// Another attempt runs, or one less.
    pub(super) fn stir(&self) {
        self.0.stirred.notify_one();
    }

    /// Completes when [`Self::running`] may have changed since the last call.
    pub(in crate::worker) async fn stirred(&self) {
        self.0.stirred.notified().await;
    }

    /// Says how long leases of `queue` are; those that are held follow at once.
    pub(in crate::worker) fn set_ack_wait(&self, queue: &QueueName, ack_wait: Duration) {
        let mut table = self.lock();
        table.ack_waits.insert(queue.clone(), ack_wait);
        for held in table.held.values().filter(|held| held.queue == *queue) {
            held.lock().lease.set_ack_wait(ack_wait);
        }
        drop(table);
        self.0.changed.notify_one();
    }

    /// Completes when a lease time has changed since the last call.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(context: &JobContext, since_ms: u64) -> RunningJob {
    RunningJob {
        job_id: context.id().to_string(),
        kind: context.kind().to_string(),
        queue: context.queue().to_string(),
        attempt: context.attempt(),
        started_at_ms: since_ms,
    }
}

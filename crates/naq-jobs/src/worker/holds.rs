//! The leases that this worker holds: the table, and the task that renews them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use futures::StreamExt;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::JobContext;
use super::delivery::Delivered;
use super::lease::Lease;
use super::signal::Signal;
use crate::model::{JobId, QueueName};
use crate::server::Link;
use crate::wire::RunningJob;

/// Renewals that are under way at the same time.
const RENEWALS: usize = 256;

/// The leases held now. A cheap handle.
#[derive(Debug, Default, Clone)]
pub(super) struct Holds(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    /// Rings when a lease time has changed.
    changed: Notify,
    /// Rings when another attempt runs, or one less.
    stirred: Notify,
}

/// The job's id and its sequence in the stream. (A stream that was made anew counts from 1 again, so the sequence alone
/// would not do.)
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    id: JobId,
    sequence: u64,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // It tells nearly all apart.
        self.sequence.hash(state);
    }
}

#[derive(Debug, Default)]
struct Table {
    /// The lease time of each queue.
    ack_waits: HashMap<QueueName, Duration>,
    held: HashMap<Key, Arc<Held>, foldhash::fast::RandomState>,
}

/// Shared by the table and the job, so that the job needs no look into the table.
#[derive(Debug)]
struct Held {
    key: Key,
    queue: QueueName,
    now: Mutex<Now>,
    moved: Notify,
    lost: Signal,
}

#[derive(Debug)]
struct Now {
    lease: Lease,
    reply: Subject,
    /// Another delivery has taken its place.
    is_replaced: bool,
    /// The attempt that runs, and since when, in milliseconds since 1970.
    running: Option<(JobContext, u64)>,
}

/// One held lease; dropping it forgets it, however the job ended.
#[derive(Debug)]
pub(super) struct Hold {
    holds: Holds,
    held: Arc<Held>,
}

impl Holds {
    /// A job was delivered now. `None` if it is held here already: then that goes on under the new lease and is
    /// acknowledged where the new delivery wants it.
    ///
    /// A server that was killed forgets the last deliveries before it, and delivers them again when it is back.
    pub(super) fn take(&self, job: &Delivered) -> Option<Hold> {
        let key = Key {
            id: job.id.clone(),
            sequence: job.sequence,
        };
        self.insert(key, &job.queue, job.reply.clone(), job.ack_wait)
    }

    fn insert(
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
        Some(Hold {
            holds: self.clone(),
            held,
        })
    }

    /// The jobs whose attempts run now, oldest first.
    pub(super) fn running(&self) -> Vec<RunningJob> {
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
    pub(super) fn attempt_of(&self, id: &JobId) -> Option<JobContext> {
        let table = self.lock();
        let ours = table.held.values().filter(|held| held.key.id == *id);
        let mut running = ours.filter_map(|held| held.lock().running.clone());
        running.next().map(|(context, _)| context)
    }

    /// Another worker has this delivery now: what runs of it here is over, and is not answered for.
    pub(super) fn give_up(&self, id: &JobId, sequence: u64) {
        let key = Key {
            id: id.clone(),
            sequence,
        };
        let mut table = self.lock();
        if let Some(held) = table.held.remove(&key) {
            held.lock().is_replaced = true;
            held.lost.give();
            tracing::info!(%id, "another worker has taken the job over");
        }
    }

    /// Completes when [`Self::running`] may have changed since the last call.
    pub(super) async fn stirred(&self) {
        self.0.stirred.notified().await;
    }

    /// Says how long leases of `queue` are; those that are held follow at once.
    pub(super) fn set_ack_wait(&self, queue: &QueueName, ack_wait: Duration) {
        let mut table = self.lock();
        table.ack_waits.insert(queue.clone(), ack_wait);
        for held in table.held.values().filter(|held| held.queue == *queue) {
            held.lock().lease.set_ack_wait(ack_wait);
        }
        drop(table);
        self.0.changed.notify_one();
    }

    /// How often the table has to be looked at.
    fn pause(&self) -> Duration {
        let shortest = self.lock().ack_waits.values().min().copied();
        (shortest.unwrap_or(Duration::from_secs(30)) / 12).max(Duration::from_millis(20))
    }

    /// Renews what is due and gives up what has lapsed, until `stop`.
    pub(super) async fn keep(&self, link: &Link, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.pause()) => {}
                () = self.0.changed.notified() => {}
            }
            let due = self.due(Instant::now());
            if due.is_empty() {
                continue;
            }
            let Ok(conn) = link.lease("renew a lease").await else {
                continue;
            };
            futures::stream::iter(due)
                .for_each_concurrent(RENEWALS, async |(held, reply)| {
                    let sent = Instant::now();
                    match conn.request(reply, "+WPI").await {
                        Ok(_) => held.lock().lease.renewed(sent, Instant::now()),
                        Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
                    }
                })
                .await;
        }
    }

    /// The leases to renew; those that have lapsed are given up.
    fn due(&self, now: Instant) -> Vec<(Arc<Held>, Subject)> {
        let mut due = Vec::new();
        for held in self.lock().held.values() {
            let mut state = held.lock();
            if state.lease.check(now) {
                held.lost.give();
            } else if state.lease.is_due(now) {
                due.push((Arc::clone(held), state.reply.clone()));
            }
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// It was delivered again; `false` if the lease has lapsed before.
    fn prolong(&self, reply: &Subject, now: Instant, ack_wait: Duration) -> bool {
        let mut state = self.lock();
        if self.lost.is_given() || state.lease.check(now) {
            return false;
        }
        state.lease = Lease::new(now, ack_wait);
        state.reply = reply.clone();
        drop(state);
        self.moved.notify_one();
        true
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Given when the lease has lapsed.
    pub(super) fn lost(&self) -> &Signal {
        &self.held.lost
    }

    /// Where the job is acknowledged now; `None` if another delivery has taken its place.
    pub(super) fn reply(&self) -> Option<Subject> {
        let now = self.held.lock();
        (!now.is_replaced).then(|| now.reply.clone())
    }

    /// Completes when [`Self::reply`] has changed since the last call.
    pub(super) async fn moved(&self) {
        self.held.moved.notified().await;
    }

    /// Whether the lease has lapsed by now, also if nobody has looked at the clock for a while (a stopped process).
    pub(super) fn has_lapsed(&self) -> bool {
        let mut now = self.held.lock();
        let lapsed = now.is_replaced || now.lease.check(Instant::now());
        drop(now);
        if lapsed {
            self.held.lost.give();
        }
        lapsed
    }

    /// As [`Holds::give_up`], if no newer delivery has taken its place.
    pub(super) fn give_up(&self) {
        let Key { id, sequence } = &self.held.key;
        let is_replaced = self.held.lock().is_replaced;
        if !is_replaced {
            self.holds.give_up(id, *sequence);
        }
    }

    /// Shows the attempt in [`Holds::running`].
    pub(super) fn runs(&self, context: JobContext, since_ms: u64) {
        self.held.lock().running = Some((context, since_ms));
        self.holds.0.stirred.notify_one();
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

impl Drop for Hold {
    fn drop(&mut self) {
        let mut table = self.holds.lock();
        let now = self.held.lock();
        if !now.is_replaced {
            table.held.remove(&self.held.key);
        }
        drop(now);
        drop(table);
        self.holds.0.stirred.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(3);

    fn queue() -> QueueName {
        QueueName::new("mail").unwrap()
    }

    fn key(sequence: u64) -> Key {
        let id = JobId::new("a").unwrap();
        Key { id, sequence }
    }

    fn insert(holds: &Holds, sequence: u64, reply: &str, ack_wait: Duration) -> Option<Hold> {
        holds.insert(key(sequence), &queue(), reply.into(), ack_wait)
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_nobody_renews_is_given_up_and_forgotten() {
        let holds = Holds::default();
        let hold = insert(&holds, 7, "reply", WAIT).unwrap();
        assert!(holds.due(Instant::now()).is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(holds.due(Instant::now()).len(), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(hold.has_lapsed());
        assert!(hold.lost().is_given());
        let sent = Instant::now();
        hold.held.lock().lease.renewed(sent, sent);
        assert!(hold.has_lapsed());
        drop(hold);
        assert!(holds.lock().held.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_delivery_of_a_held_job_renews_it_and_moves_its_acknowledgement() {
        let holds = Holds::default();
        let hold = insert(&holds, 7, "first", WAIT).unwrap();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(insert(&holds, 7, "second", WAIT).is_none());
        assert!(insert(&holds, 8, "other", WAIT).is_some());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!hold.has_lapsed());
        assert_eq!(hold.reply().as_deref(), Some("second"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lapsed_hold_gives_way_to_a_new_delivery() {
        let holds = Holds::default();
        let old = insert(&holds, 7, "first", WAIT).unwrap();
        tokio::time::advance(WAIT).await;
        let new = insert(&holds, 7, "second", WAIT).unwrap();
        assert!(old.lost().is_given());
        assert_eq!(old.reply(), None);
        drop(old);
        assert_eq!(
            new.reply().as_deref(),
            Some("second"),
            "the end of the old one touches nothing"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn held_leases_follow_the_lease_time_of_their_queue() {
        let holds = Holds::default();
        let hold = insert(&holds, 7, "reply", 10 * WAIT).unwrap();
        holds.set_ack_wait(&queue(), WAIT);
        assert_eq!(holds.pause(), WAIT / 12);
        tokio::time::advance(WAIT / 2).await;
        assert_eq!(holds.due(Instant::now()).len(), 1);
        tokio::time::advance(WAIT / 2).await;
        assert!(hold.has_lapsed());
    }
}

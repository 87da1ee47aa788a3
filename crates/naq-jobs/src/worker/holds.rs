//! The leases that this worker holds: the table, and the task that renews them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::JobContext;
use super::delivery::Delivered;
use super::lease::Lease;
use crate::model::{JobId, QueueName};
use crate::server::Link;
use crate::wire::{CancelNotice, RunningJob};

/// Renewals that are under way at the same time.
const RENEWALS: usize = 256;

/// The leases held now, by the job's id and its sequence in the stream. (A stream that was made anew counts from 1 again,
/// so the sequence alone would not do.)
#[derive(Debug, Default, Clone)]
pub(super) struct Holds {
    table: Arc<Mutex<Table>>,
    /// Rings when a lease time has changed.
    changed: Arc<Notify>,
    /// Rings when another attempt runs, or one less.
    stirred: Arc<Notify>,
}

type Key = (JobId, u64);

#[derive(Debug, Default)]
struct Table {
    /// The lease time of each queue.
    ack_waits: HashMap<QueueName, Duration>,
    held: HashMap<Key, Held>,
    /// Tells two deliveries of one job apart, so that the end of the first does not forget the second.
    deliveries: u64,
}

#[derive(Debug)]
struct Held {
    queue: QueueName,
    delivery: u64,
    lease: Lease,
    reply: String,
    moved: Arc<Notify>,
    lost: CancellationToken,
    /// The attempt that runs, and since when, in milliseconds since 1970.
    running: Option<(JobContext, u64)>,
}

/// One held lease; dropping it forgets it, however the job ended.
#[derive(Debug)]
pub(super) struct Hold {
    holds: Holds,
    key: Key,
    delivery: u64,
    lost: CancellationToken,
    moved: Arc<Notify>,
}

impl Holds {
    /// A job was delivered now.
    pub(super) fn hold(&self, job: &Delivered) -> Hold {
        let key = (job.id.clone(), job.sequence);
        self.insert(key, job.queue.clone(), job.reply.clone(), job.ack_wait)
    }

    fn insert(&self, key: Key, queue: QueueName, reply: String, ack_wait: Duration) -> Hold {
        let (lost, moved) = (CancellationToken::new(), Arc::new(Notify::new()));
        let lease = Lease::new(Instant::now(), ack_wait);
        let mut table = self.lock();
        table.deliveries += 1;
        let delivery = table.deliveries;
        let held = Held {
            queue,
            delivery,
            lease,
            reply,
            moved: Arc::clone(&moved),
            lost: lost.clone(),
            running: None,
        };
        if let Some(before) = table.held.insert(key.clone(), held) {
            // Only a lapsed one gets here, see `adopt`.
            before.lost.cancel();
        }
        drop(table);
        Hold {
            holds: self.clone(),
            key,
            delivery,
            lost,
            moved,
        }
    }

    /// Takes a further delivery of a job that is held here already: `true` if there is one, which then goes on under
    /// the new lease and is acknowledged on the new `reply`.
    ///
    /// A server that was killed forgets the last deliveries before it, and delivers them again when it is back.
    pub(super) fn adopt(&self, job: &Delivered) -> bool {
        self.prolong(&(job.id.clone(), job.sequence), &job.reply, job.ack_wait)
    }

    fn prolong(&self, key: &Key, reply: &str, ack_wait: Duration) -> bool {
        let now = Instant::now();
        let mut table = self.lock();
        let Some(held) = table
            .held
            .get_mut(key)
            .filter(|held| !held.lost.is_cancelled())
        else {
            return false;
        };
        if held.lease.check(now) {
            return false;
        }
        held.lease = Lease::new(now, ack_wait);
        reply.clone_into(&mut held.reply);
        held.moved.notify_one();
        true
    }

    /// The jobs whose attempts run now, oldest first.
    pub(super) fn running(&self) -> Vec<RunningJob> {
        let mut list: Vec<_> = self
            .lock()
            .held
            .values()
            .filter_map(|held| held.running.as_ref())
            .map(|(context, since)| shown(context, *since))
            .collect();
        list.sort_by_key(|job| job.started_at_ms);
        list
    }

    /// Tells the running attempt of a job that it is cancelled; says which attempt that is.
    pub(super) fn cancel(&self, id: &JobId, notice: &CancelNotice) -> Option<u32> {
        let table = self.lock();
        let ours = table.held.iter().filter(|((held, _), _)| held == id);
        let mut running = ours.filter_map(|(_, held)| held.running.as_ref());
        running.next().map(|(context, _)| {
            context.cancel(notice);
            context.attempt()
        })
    }

    /// Completes when [`Self::running`] may have changed since the last call.
    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    /// Says how long leases of `queue` are; those that are held follow at once.
    pub(super) fn set_ack_wait(&self, queue: &QueueName, ack_wait: Duration) {
        let mut table = self.lock();
        table.ack_waits.insert(queue.clone(), ack_wait);
        for held in table.held.values_mut().filter(|held| held.queue == *queue) {
            held.lease.set_ack_wait(ack_wait);
        }
        drop(table);
        self.changed.notify_one();
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
                () = self.changed.notified() => {}
            }
            let due = self.due(Instant::now());
            if due.is_empty() {
                continue;
            }
            let Ok(conn) = link.lease("renew a lease").await else {
                continue;
            };
            futures::stream::iter(due)
                .for_each_concurrent(RENEWALS, async |(key, reply)| {
                    let sent = Instant::now();
                    match conn.request(reply, "+WPI").await {
                        Ok(_) => self.renewed(&key, sent),
                        Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
                    }
                })
                .await;
        }
    }

    /// The leases to renew; those that have lapsed are given up.
    fn due(&self, now: Instant) -> Vec<(Key, String)> {
        let mut due = Vec::new();
        for (key, held) in &mut self.lock().held {
            if held.lease.check(now) {
                held.lost.cancel();
            } else if held.lease.is_due(now) {
                due.push((key.clone(), held.reply.clone()));
            }
        }
        due
    }

    fn renewed(&self, key: &Key, sent: Instant) {
        if let Some(held) = self.lock().held.get_mut(key) {
            held.lease.renewed(sent, Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Fires when the lease has lapsed.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Where the job is acknowledged now; `None` if another delivery has taken its place.
    pub(super) fn reply(&self) -> Option<String> {
        self.with(|held| held.reply.clone())
    }

    /// Completes when [`Self::reply`] has changed since the last call.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Whether the lease has lapsed by now, also if nobody has looked at the clock for a while (a stopped process).
    pub(super) fn has_lapsed(&self) -> bool {
        let lapsed = self
            .with(|held| held.lease.check(Instant::now()))
            .unwrap_or(true);
        if lapsed {
            self.lost.cancel();
        }
        lapsed
    }

    /// Shows the attempt in [`Holds::running`].
    pub(super) fn runs(&self, context: JobContext, since_ms: u64) {
        self.with(|held| held.running = Some((context, since_ms)));
        self.holds.stirred.notify_one();
    }

    fn with<T>(&self, look: impl FnOnce(&mut Held) -> T) -> Option<T> {
        let mut table = self.holds.lock();
        let held = table.held.get_mut(&self.key);
        held.filter(|held| held.delivery == self.delivery).map(look)
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
        if table
            .held
            .get(&self.key)
            .is_some_and(|held| held.delivery == self.delivery)
        {
            table.held.remove(&self.key);
        }
        drop(table);
        self.holds.stirred.notify_one();
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
        (JobId::new("a").unwrap(), sequence)
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_nobody_renews_is_given_up_and_forgotten() {
        let holds = Holds::default();
        let hold = holds.insert(key(7), queue(), "reply".into(), WAIT);
        assert!(holds.due(Instant::now()).is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(holds.due(Instant::now()).len(), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(hold.has_lapsed());
        assert!(hold.lost().is_cancelled());
        holds.renewed(&key(7), Instant::now());
        assert!(hold.has_lapsed());
        drop(hold);
        assert!(holds.lock().held.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_delivery_of_a_held_job_renews_it_and_moves_its_acknowledgement() {
        let holds = Holds::default();
        let hold = holds.insert(key(7), queue(), "first".into(), WAIT);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(holds.prolong(&key(7), "second", WAIT));
        assert!(!holds.prolong(&key(8), "other", WAIT));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!hold.has_lapsed());
        assert_eq!(hold.reply().as_deref(), Some("second"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lapsed_hold_gives_way_to_a_new_delivery() {
        let holds = Holds::default();
        let old = holds.insert(key(7), queue(), "first".into(), WAIT);
        tokio::time::advance(WAIT).await;
        assert!(!holds.prolong(&key(7), "second", WAIT));
        let new = holds.insert(key(7), queue(), "second".into(), WAIT);
        assert!(old.lost().is_cancelled());
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
        let hold = holds.insert(key(7), queue(), "reply".into(), 10 * WAIT);
        holds.set_ack_wait(&queue(), WAIT);
        assert_eq!(holds.pause(), WAIT / 12);
        tokio::time::advance(WAIT / 2).await;
        assert_eq!(holds.due(Instant::now()).len(), 1);
        tokio::time::advance(WAIT / 2).await;
        assert!(hold.has_lapsed());
    }
}

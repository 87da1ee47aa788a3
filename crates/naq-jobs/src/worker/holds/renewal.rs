//! The task that renews the leases.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subject;
use futures::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::held::Held;
use super::table::Holds;
use crate::server::Link;

/// Renewals that are under way at the same time.
const RENEWALS: usize = 256;

impl Holds {
    /// Renews what is due and gives up what has lapsed, until `stop`.
    pub(in crate::worker) async fn keep(&self, link: &Link, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.pause()) => {}
                () = self.changed() => {}
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

    /// How often the table has to be looked at.
    fn pause(&self) -> Duration {
        let shortest = self.lock().ack_waits.values().min().copied();
        (shortest.unwrap_or(Duration::from_secs(30)) / 12).max(Duration::from_millis(20))
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
}

#[cfg(test)]
mod tests {
    use super::super::held::Key;
    use super::super::hold::Hold;
    use super::*;
    use crate::model::{JobId, QueueName};

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

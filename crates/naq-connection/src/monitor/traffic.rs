//! Bytes, messages and connects: the sums of clients that are there and of those that were.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::client::Statistics;

/// Sums over clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    pub(super) reconnects: u64,
}

impl Sums {
    fn of(statistics: &Statistics) -> Self {
        let connects = statistics.connects.load(Ordering::Relaxed);
        Self {
            bytes_in: statistics.in_bytes.load(Ordering::Relaxed),
            bytes_out: statistics.out_bytes.load(Ordering::Relaxed),
            messages_in: statistics.in_messages.load(Ordering::Relaxed),
            messages_out: statistics.out_messages.load(Ordering::Relaxed),
            reconnects: connects.saturating_sub(1),
        }
    }

    fn combine(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            bytes_in: with(self.bytes_in, other.bytes_in),
            bytes_out: with(self.bytes_out, other.bytes_out),
            messages_in: with(self.messages_in, other.messages_in),
            messages_out: with(self.messages_out, other.messages_out),
            reconnects: with(self.reconnects, other.reconnects),
        }
    }
}

/// Tells how many messages of a client are unconfirmed. Must not keep the client alive.
pub(crate) type Unconfirmed = Arc<dyn Fn() -> u64 + Send + Sync>;

#[derive(Default)]
pub(super) struct Traffic(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    live: Vec<(Arc<Statistics>, Unconfirmed)>,
    /// Of clients that have ended.
    past: Sums,
    /// At the last reset.
    base: Sums,
}

impl Inner {
    fn sums(&self) -> Sums {
        let live = self.live.iter().map(|(statistics, _)| Sums::of(statistics));
        live.fold(self.past, |sum, client| {
            sum.combine(client, u64::saturating_add)
        })
    }
}

impl Traffic {
    pub(super) fn add(&self, client: Arc<Statistics>, unconfirmed: Unconfirmed) {
        self.lock().live.push((client, unconfirmed));
    }

    pub(super) fn retire(&self, client: &Arc<Statistics>) {
        let mut inner = self.lock();
        let at = inner.live.iter().position(|(c, _)| Arc::ptr_eq(c, client));
        if let Some(at) = at {
            let (statistics, unconfirmed) = inner.live.swap_remove(at);
            inner.past = inner
                .past
                .combine(Sums::of(&statistics), u64::saturating_add);
            drop(inner);
            // Outside the lock, since it may be the last to hold something.
            drop(unconfirmed);
        }
    }

    pub(super) fn sums(&self) -> Sums {
        let inner = self.lock();
        inner.sums().combine(inner.base, u64::saturating_sub)
    }

    pub(super) fn unconfirmed(&self) -> u64 {
        // Called outside the lock: a call may turn out to hold the client last, and its end comes here.
        let counts: Vec<_> = self
            .lock()
            .live
            .iter()
            .map(|(_, c)| Arc::clone(c))
            .collect();
        counts.iter().map(|count| count()).sum()
    }

    pub(super) fn reset(&self) {
        let mut inner = self.lock();
        inner.base = inner.sums();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sums().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_did_still_counts_when_it_is_gone_until_a_reset() {
        let traffic = Traffic::default();
        let client = Arc::new(Statistics::default());
        client.connects.store(3, Ordering::Relaxed);
        client.out_bytes.store(70, Ordering::Relaxed);
        traffic.add(Arc::clone(&client), Arc::new(|| 5));
        assert_eq!(traffic.unconfirmed(), 5);
        traffic.retire(&client);
        let sums = traffic.sums();
        assert_eq!((sums.reconnects, sums.bytes_out), (2, 70));
        assert_eq!(traffic.unconfirmed(), 0);
        traffic.reset();
        assert_eq!(traffic.sums(), Sums::default());
    }
}

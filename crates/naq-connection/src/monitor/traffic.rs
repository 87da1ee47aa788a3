//! Bytes, messages and connects: the sums of clients that are there and of those that were.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::client::Statistics;

use super::striped::Striped;

/// Sums over clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    pub(super) reconnects: u64,
    pub(super) published: u64,
}

impl Sums {
    fn of((statistics, published): &Client) -> Self {
        let connects = statistics.connects.load(Ordering::Relaxed);
        Self {
            bytes_in: statistics.in_bytes.load(Ordering::Relaxed),
            bytes_out: statistics.out_bytes.load(Ordering::Relaxed),
            messages_in: statistics.in_messages.load(Ordering::Relaxed),
            messages_out: statistics.out_messages.load(Ordering::Relaxed),
            reconnects: connects.saturating_sub(1),
            published: published.messages(),
        }
    }

    fn combine(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            bytes_in: with(self.bytes_in, other.bytes_in),
            bytes_out: with(self.bytes_out, other.bytes_out),
            messages_in: with(self.messages_in, other.messages_in),
            messages_out: with(self.messages_out, other.messages_out),
            reconnects: with(self.reconnects, other.reconnects),
            published: with(self.published, other.published),
        }
    }
}

/// The messages that leases published on one client.
#[derive(Debug, Default)]
pub(crate) struct Published {
    messages: Striped,
    confirmed: AtomicU64,
}

impl Published {
    pub(crate) fn count_one(&self) {
        self.messages.increment();
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages.sum()
    }

    /// The server has read the first `messages`.
    pub(crate) fn confirm(&self, messages: u64) {
        if self.confirmed.load(Ordering::Acquire) < messages {
            self.confirmed.fetch_max(messages, Ordering::AcqRel);
        }
    }

    /// Those after the last that is confirmed.
    pub(crate) fn unconfirmed(&self) -> u64 {
        let confirmed = self.confirmed.load(Ordering::Acquire);
        self.messages().saturating_sub(confirmed)
    }
}

#[derive(Default)]
pub(super) struct Traffic(Mutex<Inner>);

type Client = (Arc<Statistics>, Arc<Published>);

#[derive(Default)]
struct Inner {
    live: Vec<Client>,
    /// Of clients that have ended.
    past: Sums,
    /// At the last reset.
    base: Sums,
}

impl Inner {
    fn sums(&self) -> Sums {
        let live = self.live.iter().map(Sums::of);
        live.fold(self.past, |sum, client| {
            sum.combine(client, u64::saturating_add)
        })
    }
}

impl Traffic {
    pub(super) fn add(&self, client: Arc<Statistics>, published: Arc<Published>) {
        self.lock().live.push((client, published));
    }

    pub(super) fn retire(&self, client: &Arc<Statistics>) {
        let mut inner = self.lock();
        let at = inner.live.iter().position(|(c, _)| Arc::ptr_eq(c, client));
        if let Some(at) = at {
            let sums = Sums::of(&inner.live.swap_remove(at));
            inner.past = inner.past.combine(sums, u64::saturating_add);
        }
    }

    pub(super) fn sums(&self) -> Sums {
        let inner = self.lock();
        inner.sums().combine(inner.base, u64::saturating_sub)
    }

    pub(super) fn unconfirmed(&self) -> u64 {
        let inner = self.lock();
        let counts = inner.live.iter();
        counts.map(|(_, published)| published.unconfirmed()).sum()
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
        let published = Arc::new(Published::default());
        (0..8).for_each(|_| published.count_one());
        published.confirm(3);
        traffic.add(Arc::clone(&client), published);
        assert_eq!(traffic.unconfirmed(), 5);
        traffic.retire(&client);
        let sums = traffic.sums();
        assert_eq!((sums.reconnects, sums.bytes_out), (2, 70));
        assert_eq!(sums.published, 8);
        assert_eq!(traffic.unconfirmed(), 0);
        traffic.reset();
        assert_eq!(traffic.sums(), Sums::default());
    }
}

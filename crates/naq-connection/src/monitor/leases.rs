//! The leases that are out: how many, taken where, since when.
//!
//! A slab per stripe of threads, so that taking and returning a lease locks what no other thread
//! uses most of the time. Records are written after the lock is released.

use std::array;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;

use super::moment::Moment;
use super::striped::{Padded, STRIPES, stripe};

/// A place in the caller's source.
pub(crate) type Place = &'static Location<'static>;

/// A lease that is out. See [`ConnectionService::leases_out`](crate::ConnectionService::leases_out).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// Where it was taken: file, line and column of the caller.
    pub location: Place,
    /// For how long it has been out; up to 10 ms too little or too much.
    pub age: Duration,
    /// Its profile.
    pub profile: Arc<str>,
    /// Its lane: `control`, `bulk` or `exclusive`.
    pub lane: &'static str,
}

#[derive(Debug)]
pub(super) struct Leases {
    stripes: [Padded<Mutex<Stripe>>; STRIPES],
    alarm: Arc<Alarm>,
}

#[derive(Debug, Default)]
struct Stripe {
    out: Slab<Entry>,
    /// How many of all that ever went out nobody had to wait for.
    at_once: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) since: Moment,
    /// Somebody has been told that it is out for too long.
    pub(super) told: bool,
}

/// Where a lease is noted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    stripe: usize,
    index: usize,
}

/// How a watcher with nothing to watch is woken.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    asleep: AtomicBool,
    wake: Notify,
}

impl Leases {
    pub(super) fn new(alarm: Arc<Alarm>) -> Self {
        Self {
            stripes: array::from_fn(|_| Padded::default()),
            alarm,
        }
    }

    /// `at_once`: nobody had to wait for it.
    pub(super) fn insert(&self, place: Place, at_once: bool) -> Key {
        let (since, number) = (Moment::now(), stripe());
        let mut stripe = self.lock(number);
        stripe.at_once += u64::from(at_once);
        let index = stripe.out.insert(Entry {
            place,
            since,
            told: false,
        });
        drop(stripe);
        self.alarm.ring();
        Key {
            stripe: number,
            index,
        }
    }

    /// The entry, if the lease was out for too long.
    pub(super) fn remove(&self, key: Key) -> Option<Entry> {
        let entry = self.lock(key.stripe).out.try_remove(key.index)?;
        entry.told.then_some(entry)
    }

    pub(super) fn count(&self) -> usize {
        let counts = (0..STRIPES).map(|stripe| self.lock(stripe).out.len());
        counts.sum()
    }

    pub(super) fn at_once(&self) -> u64 {
        let counts = (0..STRIPES).map(|stripe| self.lock(stripe).at_once);
        counts.sum()
    }

    /// Begins to count those that nobody waits for anew. What is out stays out.
    pub(super) fn reset(&self) {
        for stripe in 0..STRIPES {
            self.lock(stripe).at_once = 0;
        }
    }

    pub(super) fn each(&self, mut see: impl FnMut(&mut Entry)) {
        for stripe in 0..STRIPES {
            for (_, entry) in self.lock(stripe).out.iter_mut() {
                see(entry);
            }
        }
    }

    fn lock(&self, stripe: usize) -> MutexGuard<'_, Stripe> {
        let stripe = &self.stripes[stripe].0;
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarm {
    /// After an entry was made: the watcher falls asleep before it looks for entries, so either it
    /// sees this one or this sees it asleep.
    fn ring(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    pub(super) fn fall_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
    }

    pub(super) fn stay_awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    pub(super) async fn rung(&self) {
        self.wake.notified().await;
    }
}

//! The numbers of one profile and lane.
//!
//! What happens often and without waiting is only counted, on a stripe of its own per thread, and
//! shows as a time of zero; the clock is read where somebody waits. Gauges (`connecting`, leases)
//! keep the truth over a reset.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::client::Statistics;

use super::histogram::Histogram;
use super::leases::{Entry, Key, LeaseInfo, Leases, Place};
use super::striped::Striped;
use super::traffic::{Published, Traffic};

#[derive(Debug)]
pub(crate) struct Meter {
    profile: Arc<str>,
    lane: &'static str,
    pub(super) leases: Leases,
    pub(super) connecting: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) dials_failed: AtomicU64,
    pub(super) abandoned: AtomicU64,
    /// Published after a wait.
    pub(super) published_late: AtomicU64,
    /// Messages with a reply address that nobody had to wait for.
    pub(super) asked_at_once: Striped,
    pub(super) acquire: Histogram,
    pub(super) dial: Histogram,
    pub(super) rtt: Histogram,
    pub(super) publish: Histogram,
    pub(super) request: Histogram,
    pub(super) flush: Histogram,
    pub(super) traffic: Traffic,
}

impl Meter {
    pub(super) fn new(profile: &str, lane: &'static str, leases: Leases) -> Self {
        Self {
            profile: Arc::from(profile),
            lane,
            leases,
            connecting: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            dials_failed: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            published_late: AtomicU64::new(0),
            asked_at_once: Striped::default(),
            acquire: Histogram::default(),
            dial: Histogram::default(),
            rtt: Histogram::default(),
            publish: Histogram::default(),
            request: Histogram::default(),
            flush: Histogram::default(),
            traffic: Traffic::default(),
        }
    }

    pub(crate) fn profile(&self) -> &str {
        &self.profile
    }

    pub(crate) fn lane(&self) -> &'static str {
        self.lane
    }

    pub(super) fn is_of(&self, profile: &str, lane: &str) -> bool {
        &*self.profile == profile && self.lane == lane
    }

    /// Notes a lease that goes out.
    pub(crate) fn enter(&self, place: Place) -> Key {
        self.leases.insert(place, false)
    }

    /// Notes a lease that goes out, and that nobody had to wait for it.
    pub(crate) fn enter_at_once(&self, place: Place) -> Key {
        self.leases.insert(place, true)
    }

    /// Notes that it is back.
    pub(crate) fn leave(&self, key: Key) {
        if let Some(Entry { place, since, .. }) = self.leases.remove(key) {
            tracing::info!(
                profile = self.profile(),
                lane = self.lane,
                location = %place,
                age = ?since.elapsed(),
                "a lease that was out for too long came back"
            );
        }
    }

    pub(super) fn info(&self, entry: &Entry) -> LeaseInfo {
        LeaseInfo {
            location: entry.place,
            age: entry.since.elapsed(),
            profile: Arc::clone(&self.profile),
            lane: self.lane,
        }
    }

    /// Somebody begins to wait for a connection.
    pub(crate) fn acquiring(self: &Arc<Self>) -> Attempt {
        self.connecting.fetch_add(1, Ordering::Relaxed);
        Attempt {
            meter: Arc::clone(self),
            start: Instant::now(),
            outcome: Outcome::Cancelled,
        }
    }

    pub(crate) fn dialled(&self, took: Duration) {
        self.dial.record(took);
    }

    pub(crate) fn dial_failed(&self) {
        self.dials_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn request_abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn published_late(&self) {
        self.published_late.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn asked_at_once(&self) {
        self.asked_at_once.increment();
    }

    /// Messages that were handed to a client without any waiting.
    pub(super) fn handed_at_once(&self, published: u64) -> u64 {
        let late = self.published_late.load(Ordering::Relaxed);
        published.saturating_sub(late) + self.asked_at_once.sum()
    }

    pub(crate) fn published(&self, took: Duration) {
        self.publish.record(took);
    }

    pub(crate) fn replied(&self, took: Duration) {
        self.request.record(took);
    }

    pub(crate) fn flushed(&self, took: Duration) {
        self.flush.record(took);
    }

    pub(crate) fn round_trip(&self, took: Duration) {
        self.rtt.record(took);
    }

    /// A client is there; it counts until [`client_gone`](Self::client_gone), and what it did stays.
    pub(crate) fn client_made(&self, client: Arc<Statistics>, published: Arc<Published>) {
        self.traffic.add(client, published);
    }

    pub(crate) fn client_gone(&self, client: &Arc<Statistics>) {
        self.traffic.retire(client);
    }

    pub(super) fn reset(&self) {
        self.leases.reset();
        self.asked_at_once.reset();
        for count in [
            &self.published_late,
            &self.failed,
            &self.cancelled,
            &self.dials_failed,
            &self.abandoned,
        ] {
            count.store(0, Ordering::Relaxed);
        }
        for times in [
            &self.acquire,
            &self.dial,
            &self.rtt,
            &self.publish,
            &self.request,
            &self.flush,
        ] {
            times.reset();
        }
        self.traffic.reset();
    }
}

/// An attempt to get a connection. Dropped before its outcome is known, it counts as cancelled.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(super) meter: Arc<Meter>,
    start: Instant,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Succeeded(Duration),
    Failed,
    Cancelled,
}

impl Attempt {
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn succeeded(mut self, took: Duration) {
        self.outcome = Outcome::Succeeded(took);
    }

    pub(crate) fn failed(mut self) {
        self.outcome = Outcome::Failed;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let meter = &self.meter;
        match self.outcome {
            Outcome::Succeeded(took) => meter.acquire.record(took),
            Outcome::Failed => drop(meter.failed.fetch_add(1, Ordering::Relaxed)),
            Outcome::Cancelled => drop(meter.cancelled.fetch_add(1, Ordering::Relaxed)),
        }
        meter.connecting.fetch_sub(1, Ordering::Relaxed);
    }
}

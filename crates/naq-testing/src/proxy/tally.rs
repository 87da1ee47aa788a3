//! What went through.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::orders::{Direction, Ways};

/// Arrivals that are kept; older ones are forgotten.
pub(super) const ARRIVALS_KEPT: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Tally {
    open: AtomicUsize,
    taken: AtomicUsize,
    bytes: Ways<AtomicU64>,
    arrivals: Mutex<VecDeque<Instant>>,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Open<'a>(&'a Tally);

impl Tally {
    pub(super) fn arrived(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() == ARRIVALS_KEPT {
            arrivals.pop_front();
        }
        arrivals.push_back(Instant::now());
    }

    pub(super) fn opened(&self) -> Open<'_> {
        self.open.fetch_add(1, Ordering::SeqCst);
        Open(self)
    }

    pub(super) fn passed(&self, direction: Direction, bytes: usize) {
        let counter = self.bytes.of(direction);
        counter.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    pub(super) fn bytes(&self, direction: Direction) -> u64 {
        self.bytes.of(direction).load(Ordering::SeqCst)
    }

    pub(super) fn arrivals(&self) -> Vec<Instant> {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.iter().copied().collect()
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

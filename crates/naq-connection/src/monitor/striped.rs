//! A place per thread, so that threads do not fight for one cache line.

use std::array;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(super) const STRIPES: usize = 8;

/// On a cache line of its own (two, for processors that fetch them in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

/// The stripe of this thread.
pub(crate) fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    // A lease may be dropped while its thread ends.
    MINE.try_with(|mine| *mine).unwrap_or(0)
}

/// A count that many threads raise and few read.
#[derive(Debug)]
pub(super) struct Striped([Padded<AtomicU64>; STRIPES]);

impl Default for Striped {
    fn default() -> Self {
        Self(array::from_fn(|_| Padded::default()))
    }
}

impl Striped {
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0[stripe()].0.fetch_add(count, Ordering::Release);
    }

    /// What was added before this, at least: all that the caller can know of.
    pub(crate) fn sum(&self) -> u64 {
        self.0
            .iter()
            .map(|cell| cell.0.load(Ordering::Acquire))
            .sum()
    }

    pub(super) fn reset(&self) {
        for cell in &self.0 {
            cell.0.store(0, Ordering::Relaxed);
        }
    }
}

//! Times as counts in buckets: lock-free, of constant size, with an exact sum and maximum.
//!
//! Sixteen buckets per power of two of nanoseconds, so that a percentile is at most 1/16 too high.
//! Not the `hdrhistogram` crate: that needs a lock around each record, and knows the mean only as
//! exactly as its buckets.

use std::array;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SUB_BITS: u32 = 4;
const SUB: u64 = 1 << SUB_BITS;
/// Longer times count as this long: 2^41 ns, 36 minutes. The maximum stays exact.
const LONGEST: u64 = (1 << 41) - 1;
const BUCKETS: usize = bucket(LONGEST) + 1;

#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Five kilobytes, made with the first record: most services use a few of their histograms.
    buckets: OnceLock<Box<[AtomicU64; BUCKETS]>>,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Histogram {
    pub(super) fn record(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let buckets = self.buckets.get_or_init(empty);
        buckets[bucket(nanos.min(LONGEST))].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
        if self.max.load(Ordering::Relaxed) < nanos {
            self.max.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    pub(super) fn reset(&self) {
        let buckets = self.buckets.get().into_iter().flat_map(|b| b.iter());
        for cell in buckets.chain([&self.sum, &self.max]) {
            cell.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            buckets: match self.buckets.get() {
                Some(buckets) => buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect(),
                None => vec![0; BUCKETS],
            },
            sum: self.sum.load(Ordering::Relaxed),
            max: self.max.load(Ordering::Relaxed),
        }
    }
}

fn empty() -> Box<[AtomicU64; BUCKETS]> {
    Box::new(array::from_fn(|_| AtomicU64::new(0)))
}

/// What a histogram held at one moment.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    buckets: Vec<u64>,
    sum: u64,
    max: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            sum: 0,
            max: 0,
        }
    }
}

impl Counts {
    /// Adds `count` times of zero.
    pub(super) fn add_at_once(&mut self, count: u64) {
        self.buckets[0] += count;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(super) fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The time that `share` (0.0 to 1.0) of all times did not exceed.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count, rounded up"
        )]
        let rank = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= rank {
                return Duration::from_nanos(upper(index).min(self.max));
            }
        }
        Duration::ZERO
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "at most the number of buckets"
)]
const fn bucket(nanos: u64) -> usize {
    if nanos < SUB {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - SUB_BITS;
    (shift as u64 * SUB + (nanos >> shift)) as usize
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let shift = index / SUB - 1;
    let first = (index - shift * SUB) << shift;
    first + (1 << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_is_in_the_bucket_whose_end_is_at_most_a_sixteenth_above_it(nanos in 0..=LONGEST) {
            let end = upper(bucket(nanos));
            prop_assert!(end >= nanos && end - nanos <= nanos / SUB);
            prop_assert_eq!(bucket(end), bucket(nanos));
        }
    }

    #[test]
    fn quantiles_and_maximum_of_a_thousand_even_times() {
        let histogram = Histogram::default();
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        let counts = histogram.counts();
        assert_eq!(counts.count(), 1000);
        assert_eq!(counts.max(), Duration::from_secs(1));
        assert_eq!(counts.sum(), Duration::from_millis(500_500));
        for (share, exact) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (1.0, 1000.0)] {
            let shown = counts.quantile(share).as_secs_f64() * 1000.0;
            assert!(
                (exact..=exact * 1.0625).contains(&shown),
                "{share}: {shown}"
            );
        }
    }

    #[test]
    fn a_time_beyond_the_last_bucket_keeps_sum_and_maximum_exact() {
        let histogram = Histogram::default();
        let day = Duration::from_secs(86_400);
        histogram.record(day);
        let counts = histogram.counts();
        assert_eq!((counts.max(), counts.sum()), (day, day));
    }

    #[test]
    fn an_empty_one_is_all_zero_also_after_a_reset() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_millis(3));
        histogram.reset();
        let counts = histogram.counts();
        assert_eq!((counts.count(), counts.max()), (0, Duration::ZERO));
        assert_eq!(counts.quantile(0.99), Duration::ZERO);
    }
}

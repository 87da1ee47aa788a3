//! How long something took, in a few numbers.

use std::time::Duration;

use super::histogram::Counts;

/// How long something took: count, mean and percentiles. All zero if nothing was recorded.
///
/// `count`, `mean`, `sum` and `max` are exact, percentiles at most 1/16 too high. What was done without any
/// waiting counts as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Timing {
    /// How often.
    pub count: u64,
    /// All times together.
    pub sum: Duration,
    /// The average.
    pub mean: Duration,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 90 of 100 took no longer.
    pub p90: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Timing {
    pub(super) fn of(counts: &Counts) -> Self {
        let (count, sum) = (counts.count(), counts.sum());
        let nanos = sum.as_nanos() / u128::from(count.max(1));
        Self {
            count,
            sum,
            mean: Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
            p50: counts.quantile(0.5),
            p90: counts.quantile(0.9),
            p99: counts.quantile(0.99),
            max: counts.max(),
        }
    }
}

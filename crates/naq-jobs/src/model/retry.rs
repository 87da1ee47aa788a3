//! When a failed job runs again: pure arithmetic.

use std::time::Duration;

/// Longest wait that is accepted: one year.
const MAX_DELAY: Duration = Duration::from_secs(365 * 24 * 3600);

/// How often a job is run again after an error, and after which wait.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryPolicy {
    /// Retries after the first attempt; 0 means the first error is final.
    pub retries: u32,
    /// The wait before each.
    pub backoff: Backoff,
}

/// The wait before retry `n` (counted from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backoff {
    /// Always the same wait (the original calls it "linear").
    Fixed(Duration),
    /// `base * 2^(n - 1)`, not over one year.
    Exponential(Duration),
    /// The n-th entry; the last one repeats.
    Table(Vec<Duration>),
}

impl RetryPolicy {
    /// `retries` times, each after `delay`.
    pub fn fixed(retries: u32, delay: Duration) -> Self {
        Self {
            retries,
            backoff: Backoff::Fixed(delay),
        }
    }

    /// `retries` times, after `base`, twice `base`, four times `base`...
    pub fn exponential(retries: u32, base: Duration) -> Self {
        Self {
            retries,
            backoff: Backoff::Exponential(base),
        }
    }

    /// After each wait of `delays` in turn.
    pub fn table(delays: impl IntoIterator<Item = Duration>) -> Self {
        let delays: Vec<_> = delays.into_iter().collect();
        let retries = u32::try_from(delays.len()).unwrap_or(u32::MAX);
        Self {
            retries,
            backoff: Backoff::Table(delays),
        }
    }

    /// The wait before the retry that follows `retries_done` retries; `None` if there is none left.
    pub fn next_delay(&self, retries_done: u32) -> Option<Duration> {
        (retries_done < self.retries).then(|| self.backoff.delay(retries_done + 1))
    }
}

impl Backoff {
    /// The wait before retry `n`, counted from 1.
    pub fn delay(&self, n: u32) -> Duration {
        let delay = match self {
            Self::Fixed(delay) => *delay,
            Self::Exponential(base) => {
                let factor = 1_u32.checked_shl(n.saturating_sub(1)).unwrap_or(u32::MAX);
                base.checked_mul(factor).unwrap_or(MAX_DELAY)
            }
            Self::Table(delays) => {
                let last = delays.len().saturating_sub(1);
                let index = usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
                delays.get(index.min(last)).copied().unwrap_or_default()
            }
        };
        delay.min(MAX_DELAY)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::Fixed(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn delays_are_those_of_the_original() {
        let delays = |p: &RetryPolicy| {
            (0..)
                .map_while(|done| p.next_delay(done))
                .map(|d| d.as_secs())
                .collect::<Vec<_>>()
        };
        assert_eq!(delays(&RetryPolicy::fixed(3, 3 * S)), [3, 3, 3]);
        assert_eq!(
            delays(&RetryPolicy::table([2 * S, 5 * S, 10 * S])),
            [2, 5, 10]
        );
        assert_eq!(delays(&RetryPolicy::exponential(4, 2 * S)), [2, 4, 8, 16]);
        assert_eq!(delays(&RetryPolicy::default()), [0_u64; 0]);
    }

    #[test]
    fn the_last_entry_of_a_table_repeats() {
        let policy = RetryPolicy {
            retries: 5,
            ..RetryPolicy::table([S, 2 * S])
        };
        assert_eq!(policy.next_delay(4), Some(2 * S));
        assert_eq!(policy.next_delay(5), None);
    }

    proptest! {
        #[test]
        fn a_delay_is_bounded(retries in 0_u32..2000, base_ms in 0_u64..u64::MAX, done in 0_u32..3000) {
            let policy = RetryPolicy::exponential(retries, Duration::from_millis(base_ms));
            if let Some(delay) = policy.next_delay(done) {
                prop_assert!(delay <= MAX_DELAY);
            }
        }
    }
}

//! When a failed job runs again: pure arithmetic.

use std::time::Duration;

/// Longest wait that is accepted: one year.
const MAX_DELAY: Duration = Duration::from_secs(365 * 24 * 3600);

/// How often a job is run again after an error, after which wait, and after which errors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryPolicy {
    /// Retries after the first attempt; 0 means the first error is final.
    pub retries: u32,
    /// The wait before each.
    pub backoff: Backoff,
    /// No wait is longer; one year at the most.
    pub max_delay: Option<Duration>,
    /// What chance makes of the wait.
    pub jitter: Jitter,
    /// If not empty: only these errors are retried. See [`Self::retry_on`].
    pub retry_on: Vec<String>,
    /// These errors are not retried, even if `retry_on` names them. See [`Self::ignore_on`].
    pub ignore_on: Vec<String>,
}

/// The wait before retry `n` (counted from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backoff {
    /// Always the same wait (the original calls it "linear").
    Fixed(Duration),
    /// `step * n`.
    Rising(Duration),
    /// `base * 2^(n - 1)`, not over one year.
    Exponential(Duration),
    /// The n-th entry; the last one repeats.
    Table(Vec<Duration>),
}

/// What chance makes of a wait, so that jobs that failed together are not tried again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Jitter {
    /// The wait as it is.
    #[default]
    None,
    /// Anything from nothing to the wait.
    Full,
    /// Anything from half of the wait to all of it.
    Equal,
}

/// What the words of `retry_on` and `ignore_on` are compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorWords<'a> {
    /// What the handler called it.
    pub(crate) class: Option<&'a str>,
    /// Its Rust type, with the path.
    pub(crate) type_name: Option<&'a str>,
    /// `error`, `panic` or `timeout`.
    pub(crate) reason: &'a str,
}

impl RetryPolicy {
    /// `retries` times, each after `delay`.
    pub fn fixed(retries: u32, delay: Duration) -> Self {
        Self::of(retries, Backoff::Fixed(delay))
    }

    /// `retries` times, after `step`, twice `step`, three times `step`...
    pub fn rising(retries: u32, step: Duration) -> Self {
        Self::of(retries, Backoff::Rising(step))
    }

    /// `retries` times, after `base`, twice `base`, four times `base`...
    pub fn exponential(retries: u32, base: Duration) -> Self {
        Self::of(retries, Backoff::Exponential(base))
    }

    /// After each wait of `delays` in turn.
    pub fn table(delays: impl IntoIterator<Item = Duration>) -> Self {
        let delays: Vec<_> = delays.into_iter().collect();
        let retries = u32::try_from(delays.len()).unwrap_or(u32::MAX);
        Self::of(retries, Backoff::Table(delays))
    }

    fn of(retries: u32, backoff: Backoff) -> Self {
        Self {
            retries,
            backoff,
            ..Self::default()
        }
    }

    /// No wait is longer than this.
    #[must_use]
    pub fn max_delay(mut self, longest: Duration) -> Self {
        self.max_delay = Some(longest);
        self
    }

    /// Spreads the waits by chance.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Retries only after errors that one of these words names; may be called again to add more.
    ///
    /// A word is the class that the handler gave its error ([`crate::JobError::class`]), the error's Rust type (with its path or
    /// without), or `error`, `panic`, `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use naq_jobs::RetryPolicy;
    ///
    /// let policy = RetryPolicy::exponential(5, Duration::from_secs(1))
    ///     .retry_on(["http_5xx", "timeout"])
    ///     .ignore_on(["http_501"]);
    /// # drop(policy);
    /// ```
    #[must_use]
    pub fn retry_on<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.retry_on.extend(words.into_iter().map(Into::into));
        self
    }

    /// Does not retry after errors that one of these words names, whatever [`Self::retry_on`] says: such an error is final.
    #[must_use]
    pub fn ignore_on<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.ignore_on.extend(words.into_iter().map(Into::into));
        self
    }

    /// The wait before the retry that follows `retries_done` retries, jitter left out; `None` if there is none left.
    pub fn next_delay(&self, retries_done: u32) -> Option<Duration> {
        let longest = self.max_delay.unwrap_or(MAX_DELAY);
        (retries_done < self.retries).then(|| self.backoff.delay(retries_done + 1).min(longest))
    }

    /// Whether an error is one that is retried at all.
    pub(crate) fn allows(&self, error: ErrorWords<'_>) -> bool {
        let named = |words: &[String]| words.iter().any(|word| error.is(word));
        !named(&self.ignore_on) && (self.retry_on.is_empty() || named(&self.retry_on))
    }
}

impl ErrorWords<'_> {
    fn is(&self, word: &str) -> bool {
        let is_type = self.type_name.is_some_and(|name| {
            // Generic parameters have paths of their own.
            let plain = name.split('<').next().unwrap_or(name);
            name == word || plain == word || plain.rsplit("::").next() == Some(word)
        });
        is_type || self.class == Some(word) || self.reason == word
    }
}

impl Jitter {
    /// What `chance` (0 to 1) makes of `delay`; never more than `delay`.
    pub(crate) fn spread(self, delay: Duration, chance: f64) -> Duration {
        let chance = chance.clamp(0.0, 1.0);
        match self {
            Self::None => delay,
            Self::Full => delay.mul_f64(chance),
            Self::Equal => delay.mul_f64(0.5 + chance / 2.0),
        }
        .min(delay)
    }
}

impl Backoff {
    /// The wait before retry `n`, counted from 1.
    pub fn delay(&self, n: u32) -> Duration {
        let delay = match self {
            Self::Fixed(delay) => *delay,
            Self::Rising(step) => step.checked_mul(n).unwrap_or(MAX_DELAY),
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
        assert_eq!(delays(&RetryPolicy::rising(3, 2 * S)), [2, 4, 6]);
        assert_eq!(
            delays(&RetryPolicy::exponential(4, 2 * S).max_delay(5 * S)),
            [2, 4, 5, 5]
        );
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

    #[test]
    fn a_word_names_a_class_a_type_or_a_reason() {
        let error = ErrorWords {
            class: Some("http_4xx"),
            type_name: Some("shop::api::Refused<shop::Order>"),
            reason: "error",
        };
        for word in ["http_4xx", "Refused", "shop::api::Refused", "error"] {
            assert!(error.is(word), "{word}");
        }
        for word in ["http_5xx", "api", "Order", "timeout", ""] {
            assert!(!error.is(word), "{word}");
        }
    }

    #[test]
    fn what_is_ignored_beats_what_is_retried() {
        let error = |class| ErrorWords {
            class,
            type_name: None,
            reason: "error",
        };
        let policy = RetryPolicy::fixed(3, S);
        assert!(policy.allows(error(None)));
        let policy = policy.retry_on(["http_5xx", "http_501"]);
        assert!(policy.allows(error(Some("http_5xx"))));
        assert!(!policy.allows(error(None)), "a white list");
        let policy = policy.ignore_on(["http_501"]);
        assert!(!policy.allows(error(Some("http_501"))));
        assert!(policy.allows(error(Some("http_5xx"))));
    }

    proptest! {
        #[test]
        fn chance_only_shortens_a_wait(ms in 0_u64..1 << 40, chance in -0.5_f64..1.5) {
            let delay = Duration::from_millis(ms);
            prop_assert_eq!(Jitter::None.spread(delay, chance), delay);
            prop_assert!(Jitter::Full.spread(delay, chance) <= delay);
            let equal = Jitter::Equal.spread(delay, chance);
            prop_assert!(equal <= delay && equal + Duration::from_millis(1) >= delay / 2);
        }

        #[test]
        fn no_wait_is_longer_than_the_longest(ms in 0_u64..1 << 40, longest in 0_u64..1 << 40, done in 0_u32..100) {
            let (base, longest) = (Duration::from_millis(ms), Duration::from_millis(longest));
            for policy in [RetryPolicy::rising(100, base), RetryPolicy::exponential(100, base), RetryPolicy::fixed(100, base)] {
                prop_assert!(policy.max_delay(longest).next_delay(done).unwrap() <= longest);
            }
        }

        #[test]
        fn a_delay_is_bounded(retries in 0_u32..2000, base_ms in 0_u64..u64::MAX, done in 0_u32..3000) {
            let policy = RetryPolicy::exponential(retries, Duration::from_millis(base_ms));
            if let Some(delay) = policy.next_delay(done) {
                prop_assert!(delay <= MAX_DELAY);
            }
        }
    }
}

//! The settings of a breaker.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::circuit::CircuitBreaker;
use super::machine::{Millis, Rules};

/// Makes a [`CircuitBreaker`].
#[must_use = "a builder does nothing until it builds"]
pub struct CircuitBreakerBuilder<E> {
    failure_threshold: u32,
    recovery_timeout: Duration,
    counts: Arc<dyn Fn(&E) -> bool + Send + Sync>,
}

impl<E> CircuitBreakerBuilder<E> {
    pub(super) fn new(counts: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        Self {
            failure_threshold: 5,
            recovery_timeout: Duration::from_secs(60),
            counts: Arc::new(counts),
        }
    }

    /// Failures in a row that open it; 0 counts as 1. Default: 5.
    pub fn failure_threshold(mut self, failures: u32) -> Self {
        self.failure_threshold = failures;
        self
    }

    /// How long it refuses calls before it lets a probe through. Default: 60 s.
    pub fn recovery_timeout(mut self, timeout: Duration) -> Self {
        self.recovery_timeout = timeout;
        self
    }

    /// Which errors count as failures. The others prove nothing: they neither open nor close it.
    pub fn classify(mut self, counts: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.counts = Arc::new(counts);
        self
    }

    /// A closed breaker.
    pub fn build(self) -> CircuitBreaker<E> {
        let rules = Rules {
            threshold: self.failure_threshold.max(1),
            recovery: millis_up(self.recovery_timeout),
        };
        CircuitBreaker::new(rules, self.counts)
    }
}

/// Rounded up, so that no probe comes early.
pub(super) fn millis_up(duration: Duration) -> Millis {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    Millis::try_from(millis).unwrap_or(Millis::MAX)
}

impl<E> fmt::Debug for CircuitBreakerBuilder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerBuilder")
            .field("failure_threshold", &self.failure_threshold)
            .field("recovery_timeout", &self.recovery_timeout)
            .finish_non_exhaustive()
    }
}

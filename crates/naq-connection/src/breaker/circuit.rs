//! The breaker that callers hold: reads the clock, steps the machine, runs the call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::builder::{CircuitBreakerBuilder, millis_up};
use super::error::BreakerError;
use super::machine::{CircuitState, Machine, Millis, Rules, Stage, Ticket};
use super::word::Word;
use crate::error::ConnectionError;
use crate::retry::Retryable;

/// Refuses calls at once while what they need is down, and lets one probe through to see whether
/// it is back. Clones are the same breaker.
///
/// ```
/// # use naq_connection::{BreakerError, CircuitBreaker, Connection, ConnectionError};
/// # async fn run(connection: &Connection) -> Result<(), BreakerError<ConnectionError>> {
/// let breaker = CircuitBreaker::builder().failure_threshold(5).build();
/// breaker
///     .call(async || {
///         connection.publish("greetings", "hello").await?;
///         connection.flush_confirmed().await
///     })
///     .await
/// # }
/// ```
///
/// Give every call a deadline, as those of this crate have: while a probe hangs, all wait for it.
pub struct CircuitBreaker<E = ConnectionError> {
    shared: Arc<Shared<E>>,
}

struct Shared<E> {
    word: Word,
    rules: Rules,
    epoch: Instant,
    counts: Arc<dyn Fn(&E) -> bool + Send + Sync>,
}

impl<E: Retryable + 'static> CircuitBreaker<E> {
    /// With the defaults: transient errors count, 5 in a row open it, for 60 s.
    pub fn builder() -> CircuitBreakerBuilder<E> {
        CircuitBreakerBuilder::new(E::is_transient)
    }
}

impl<E> CircuitBreaker<E> {
    /// As [`builder`](Self::builder), for errors of any type: `counts` says which are failures.
    pub fn counting(
        counts: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> CircuitBreakerBuilder<E> {
        CircuitBreakerBuilder::new(counts)
    }

    pub(super) fn new(rules: Rules, counts: Arc<dyn Fn(&E) -> bool + Send + Sync>) -> Self {
        let shared = Shared {
            word: Word::new(Machine::NEW),
            rules,
            epoch: Instant::now(),
            counts,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Makes the call, unless the breaker is open.
    ///
    /// Cancel safe: a probe that is dropped, or panics, gives its place to the next call.
    ///
    /// # Errors
    /// `Open` if the call was refused and not made, `Inner` with the call's own error.
    pub async fn call<T>(
        &self,
        operation: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, BreakerError<E>> {
        let passage = self.shared.enter()?;
        match operation().await {
            Ok(value) => {
                passage.succeeded();
                Ok(value)
            }
            Err(error) => {
                if (self.shared.counts)(&error) {
                    passage.failed();
                }
                Err(BreakerError::Inner(error))
            }
        }
    }

    /// What it does with calls now.
    pub fn state(&self) -> CircuitState {
        self.shared.word.read().state()
    }

    /// Failures in a row; while it is not closed, the number that opened it.
    pub fn failure_count(&self) -> u32 {
        match self.shared.word.read().stage {
            Stage::Closed { failures } => failures,
            Stage::Open { .. } | Stage::Probing | Stage::Free => self.shared.rules.threshold,
        }
    }

    /// Closes it. What calls that run now will report does not count any more.
    pub fn reset(&self) {
        self.shared.step(|machine| (machine.reset(), ()));
    }
}

impl<E> Shared<E> {
    fn enter(&self) -> Result<Passage<'_, E>, BreakerError<E>> {
        let ticket = match self.word.read().admit_closed() {
            Some(ticket) => ticket,
            None => {
                let now = self.elapsed().as_millis();
                let now = Millis::try_from(now).unwrap_or(Millis::MAX);
                self.step(|machine| machine.admit(now))
                    .map_err(|millis| BreakerError::Open {
                        retry_after: Duration::from_millis(millis),
                    })?
            }
        };
        Ok(Passage {
            breaker: self,
            ticket,
            settled: false,
        })
    }

    fn step<R>(&self, decide: impl Fn(Machine) -> (Machine, R)) -> R {
        let (before, after, decision) = self.word.step(decide);
        let (from, to) = (before.state(), after.state());
        if from != to {
            tracing::info!(%from, %to, "circuit breaker");
        }
        decision
    }

    fn elapsed(&self) -> Duration {
        self.epoch.elapsed()
    }
}

/// A call on its way. Dropped without a word, it proved nothing.
struct Passage<'a, E> {
    breaker: &'a Shared<E>,
    ticket: Ticket,
    settled: bool,
}

impl<E> Passage<'_, E> {
    fn succeeded(mut self) {
        self.settled = true;
        let machine = self.breaker.word.read();
        // As a rule there is nothing to change, and nothing to be written.
        if machine.succeeded(self.ticket) != machine {
            self.breaker
                .step(|machine| (machine.succeeded(self.ticket), ()));
        }
    }

    fn failed(mut self) {
        self.settled = true;
        let (rules, now) = (self.breaker.rules, millis_up(self.breaker.elapsed()));
        self.breaker
            .step(|machine| (machine.failed(self.ticket, rules, now), ()));
    }
}

impl<E> Drop for Passage<'_, E> {
    fn drop(&mut self) {
        if !self.settled {
            self.breaker
                .step(|machine| (machine.abandoned(self.ticket), ()));
        }
    }
}

impl<E> Clone for CircuitBreaker<E> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E> fmt::Debug for CircuitBreaker<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("state", &self.state())
            .field("failure_count", &self.failure_count())
            .field("rules", &self.shared.rules)
            .finish_non_exhaustive()
    }
}

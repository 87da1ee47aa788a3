//! The policy that callers build, and the loop that follows it.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::budget::RetryBudget;
use super::classify::{Classify, Transient, When};
use super::delays::Delays;

/// Runs an operation until it succeeds or another attempt makes no sense.
///
/// ```
/// # use naq_connection::{ConnectionService, ConnectionError, Retry};
/// # async fn run(service: &ConnectionService) -> Result<(), ConnectionError> {
/// Retry::new(3)
///     .run(async || {
///         let connection = service.connection().await?;
///         connection.publish("greetings", "hello").await
///     })
///     .await
/// # }
/// ```
///
/// By default an error is asked through [`Retryable`](crate::Retryable): transient ones are retried
/// unless the call may have had its effect. [`at_least_once`](Self::at_least_once) retries those
/// too; [`when`](Self::when) decides otherwise.
#[derive(Debug, Clone)]
#[must_use = "a policy does nothing until it runs an operation"]
pub struct Retry<C = Transient> {
    max_retries: u32,
    delays: Delays,
    deadline: Option<Duration>,
    budget: Option<RetryBudget>,
    classify: C,
}

impl Retry {
    /// At most `max_retries` attempts after the first: after 1 s, 2 s, 4 s … up to 30 s, with jitter.
    pub fn new(max_retries: u32) -> Self {
        Self {
            max_retries,
            delays: Delays {
                first: Duration::from_secs(1),
                factor: 2.0,
                cap: Duration::from_secs(30),
                jitter: true,
            },
            deadline: None,
            budget: None,
            classify: Transient::default(),
        }
    }

    /// Also repeats what may have had its effect: the operation is idempotent, or twice is fine.
    ///
    /// The error of the last attempt says nothing about the effect of the ones before it.
    pub fn at_least_once(mut self) -> Self {
        self.classify.at_least_once = true;
        self
    }
}

impl<C> Retry<C> {
    /// The wait before the first retry.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delays.first = delay;
        self
    }

    /// By what each wait is longer than the one before; below 1 counts as 1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.delays.factor = factor;
        self
    }

    /// No wait is longer than this.
    pub fn max_delay(mut self, cap: Duration) -> Self {
        self.delays.cap = cap;
        self
    }

    /// Whether a wait is a random part of its delay (full jitter) or all of it.
    pub fn jitter(mut self, on: bool) -> Self {
        self.delays.jitter = on;
        self
    }

    /// No attempt starts later than this after the first one; a wait that would end later is not begun.
    ///
    /// An attempt that runs is not cut off, for then nobody knew what it did: bound it by a
    /// deadline of its own, as every call of this crate is.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Takes retries out of a budget that others share.
    pub fn budget(mut self, budget: &RetryBudget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// Lets `again` alone decide which errors are retried, of whatever type.
    pub fn when<E, F: Fn(&E) -> bool>(self, again: F) -> Retry<When<F>> {
        Retry {
            max_retries: self.max_retries,
            delays: self.delays,
            deadline: self.deadline,
            budget: self.budget,
            classify: When(again),
        }
    }

    /// Runs `operation`, again and again as the policy allows.
    ///
    /// An `async ||` closure that only reads what it captures will do; one that changes it is
    /// written `|| { calls += 1; async { .. } }`.
    ///
    /// Cancel safe as far as one attempt is: nothing else is held between the attempts.
    ///
    /// # Errors
    /// That of the last attempt, unchanged.
    pub async fn run<T, E, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, E>
    where
        // Not `AsyncFnMut`: with that, a run whose closure borrows is not `Send` to the compiler.
        F: Future<Output = Result<T, E>>,
        C: Classify<E>,
    {
        let mut attempts = self.by_reference().attempts();
        loop {
            match attempts.after(operation().await) {
                ControlFlow::Break(result) => return result,
                ControlFlow::Continue(pause) => pause.await,
            }
        }
    }

    fn by_reference(&self) -> Retry<&C> {
        Retry {
            max_retries: self.max_retries,
            delays: self.delays,
            deadline: self.deadline,
            budget: self.budget.clone(),
            classify: &self.classify,
        }
    }

    /// The attempts of one operation, for a loop of the caller's; [`run`](Self::run) where a closure
    /// will do.
    pub fn attempts(self) -> Attempts<C> {
        if let Some(budget) = &self.budget {
            budget.count_call();
        }
        Attempts {
            policy: self,
            started: Instant::now(),
            retries: 0,
        }
    }
}

/// How far a [`Retry`] is with one operation. See [`Retry::attempts`].
#[derive(Debug)]
pub struct Attempts<C = Transient> {
    policy: Retry<C>,
    started: Instant,
    retries: u32,
}

impl<C> Attempts<C> {
    /// What follows an attempt that ended with `result`: the end, or another attempt after a pause.
    pub fn after<T, E>(&mut self, result: Result<T, E>) -> ControlFlow<Result<T, E>, Sleep>
    where
        C: Classify<E>,
    {
        let error = match result {
            Ok(value) => return ControlFlow::Break(Ok(value)),
            Err(error) => error,
        };
        let Some(wait) = self.wait_after(&error) else {
            return ControlFlow::Break(Err(error));
        };
        self.retries += 1;
        tracing::debug!(
            retries = self.retries,
            ?wait,
            "the operation failed and will be tried again"
        );
        ControlFlow::Continue(sleep(wait))
    }

    /// The wait before the next attempt, if there is to be one.
    fn wait_after<E>(&self, error: &E) -> Option<Duration>
    where
        C: Classify<E>,
    {
        let policy = &self.policy;
        if self.retries >= policy.max_retries || !policy.classify.again(error) {
            return None;
        }
        let wait = policy.delays.wait(self.retries, fastrand::f64());
        if policy
            .deadline
            .is_some_and(|deadline| self.started.elapsed().saturating_add(wait) > deadline)
        {
            return None;
        }
        // Last, so that only a retry that is made is paid for.
        let paid = policy.budget.as_ref().is_none_or(RetryBudget::take);
        paid.then_some(wait)
    }
}

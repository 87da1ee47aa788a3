//! The limiter.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// The limit of [`ConnectionLimiter::default`].
pub const DEFAULT_LIMIT: usize = 50;

/// Lets a number of users in at once; the others wait in the order in which they came.
///
/// A clone is another handle on the same limiter. Make it once and share it: one that is made anew
/// for each use limits nothing.
///
/// ```
/// # async fn run() {
/// use naq_connection::ConnectionLimiter;
///
/// let limiter = ConnectionLimiter::new(5);
/// let permit = limiter.acquire().await;
/// assert_eq!(limiter.available(), 4);
/// drop(permit);
/// # }
/// ```
#[derive(Clone)]
pub struct ConnectionLimiter {
    /// Private and never closed.
    semaphore: Arc<Semaphore>,
    limit: usize,
}

/// One place within a limit. Dropping it gives the place to the first who waits: on success,
/// error, panic and cancellation alike.
#[derive(Debug)]
#[must_use = "the place is given back when the permit is dropped"]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// No place was free. A later attempt may succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitReached {
    /// How many are let in at once.
    pub limit: usize,
    /// For how long a place was waited for; zero if it was not.
    pub waited: Duration,
}

impl ConnectionLimiter {
    /// Lets `limit` users in at once, and at least one: a limit of 0 would be a wait without end.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            semaphore: Arc::new(Semaphore::new(limit)),
            limit,
        }
    }

    /// Waits for a place, without limit; [`acquire_within`](Self::acquire_within) has one.
    ///
    /// Fair: nobody overtakes who came earlier. Cancel safe: who stops waiting loses its turn and
    /// nothing else.
    pub async fn acquire(&self) -> Permit {
        match Arc::clone(&self.semaphore).acquire_owned().await {
            Ok(place) => Permit { _place: place },
            Err(_closed) => std::future::pending().await,
        }
    }

    /// As [`acquire`](Self::acquire), within `deadline`.
    ///
    /// # Errors
    /// [`LimitReached`]: no place became free in time.
    pub async fn acquire_within(&self, deadline: Duration) -> Result<Permit, LimitReached> {
        let start = Instant::now();
        timeout(deadline, self.acquire())
            .await
            .map_err(|_elapsed| self.reached(start.elapsed()))
    }

    /// A place at once, or none: sheds the load that can't be served now. Never overtakes those who
    /// wait.
    ///
    /// # Errors
    /// [`LimitReached`]: no place is free.
    pub fn try_acquire(&self) -> Result<Permit, LimitReached> {
        match Arc::clone(&self.semaphore).try_acquire_owned() {
            Ok(place) => Ok(Permit { _place: place }),
            Err(_none) => Err(self.reached(Duration::ZERO)),
        }
    }

    /// Places that are free now.
    pub fn available(&self) -> usize {
        self.semaphore.available_permits()
    }

    /// How many are let in at once.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether this handle is the only one and no permit is out.
    pub(super) fn is_unused(&self) -> bool {
        // A permit and an acquire that waits hold the semaphore too.
        Arc::strong_count(&self.semaphore) == 1
    }

    fn reached(&self, waited: Duration) -> LimitReached {
        LimitReached {
            limit: self.limit,
            waited,
        }
    }
}

/// With [`DEFAULT_LIMIT`].
impl Default for ConnectionLimiter {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl fmt::Debug for ConnectionLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionLimiter")
            .field("limit", &self.limit)
            .field("available", &self.available())
            .finish()
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit of {} is reached", self.limit)?;
        if self.waited > Duration::ZERO {
            write!(f, "; waited {:?}", self.waited)?;
        }
        Ok(())
    }
}

impl StdError for LimitReached {}

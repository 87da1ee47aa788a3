//! The hard limit of running handlers. It can change while they run: those that run keep their permits.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit, TryAcquireError};

/// The permits of a worker.
#[derive(Debug)]
pub(super) struct Permits {
    free: Semaphore,
    /// Permits that are to vanish when they come back.
    owed: AtomicU32,
}

/// One running handler.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    permits: &'a Permits,
    inner: Option<SemaphorePermit<'a>>,
}

impl Permits {
    pub(super) fn new(count: u32) -> Self {
        Self {
            free: Semaphore::new(size(count)),
            owed: AtomicU32::new(0),
        }
    }

    /// Changes the limit from `before` to `now`.
    pub(super) fn resize(&self, before: u32, now: u32) {
        for _ in before..now {
            if !self.pay() {
                self.free.add_permits(1);
            }
        }
        for _ in now..before {
            if self.free.forget_permits(1) == 0 {
                self.owed.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    pub(super) fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.free.try_acquire().map(|inner| self.wrap(inner))
    }

    pub(super) async fn acquire(&self) -> Result<Permit<'_>, AcquireError> {
        self.free.acquire().await.map(|inner| self.wrap(inner))
    }

    fn wrap<'a>(&'a self, inner: SemaphorePermit<'a>) -> Permit<'a> {
        Permit {
            permits: self,
            inner: Some(inner),
        }
    }

    /// Takes one off what is owed, if anything is.
    fn pay(&self) -> bool {
        self.owed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |owed| {
                owed.checked_sub(1)
            })
            .is_ok()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && self.permits.pay()
        {
            inner.forget();
        }
    }
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_limit_waits_for_those_that_run() {
        let permits = Permits::new(2);
        let (one, two) = (
            permits.try_acquire().unwrap(),
            permits.try_acquire().unwrap(),
        );
        permits.resize(2, 1);
        drop(one);
        assert!(
            permits.try_acquire().is_err(),
            "one still runs, one is the limit"
        );
        permits.resize(1, 3);
        let three = permits.try_acquire().unwrap();
        let four = permits.try_acquire().unwrap();
        assert!(permits.try_acquire().is_err());
        drop((two, three, four));
        permits.resize(3, 1);
        permits.resize(1, 2);
        let _five = permits.try_acquire().unwrap();
        let _six = permits.try_acquire().unwrap();
        assert!(permits.try_acquire().is_err());
    }
}

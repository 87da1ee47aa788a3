//! A word that is given once, heard by whoever waits. It is part of what gives it, so it costs no allocation.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Given or not; once given, for ever.
#[derive(Debug, Default)]
pub(super) struct Signal {
    is_given: AtomicBool,
    bell: Notify,
}

impl Signal {
    pub(super) fn give(&self) {
        if !self.is_given.swap(true, Ordering::AcqRel) {
            self.bell.notify_waiters();
        }
    }

    pub(super) fn is_given(&self) -> bool {
        self.is_given.load(Ordering::Acquire)
    }

    /// Completes when it is given. Cancel safe.
    pub(super) async fn given(&self) {
        // Listens first: `notify_waiters` reaches who has called `notified`, also before the first poll.
        let bell = self.bell.notified();
        if !self.is_given() {
            bell.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn it_is_heard_before_and_after() {
        let signal = Signal::default();
        let mut early = std::pin::pin!(signal.given());
        assert!(early.as_mut().now_or_never().is_none());
        assert!(!signal.is_given());
        signal.give();
        early.await;
        signal.given().await;
        assert!(signal.is_given());
    }
}

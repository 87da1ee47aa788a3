//! The number of leases that are out, and the door that shutdown closes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::sync::{AtomicBool, AtomicUsize, Notify};

#[derive(Debug, Default)]
pub(crate) struct Gauge {
    count: AtomicUsize,
    closed: AtomicBool,
    zero: Notify,
}

/// One lease; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Token(Arc<Gauge>);

impl Gauge {
    /// `None` after [`close`](Self::close).
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Token> {
        // Counted first and checked then: either this sees the door closed, or `close` sees this.
        self.count.fetch_add(1, Ordering::SeqCst);
        let token = Token(Arc::clone(self));
        (!self.closed.load(Ordering::SeqCst)).then_some(token)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(crate) async fn until_zero(&self) {
        loop {
            let mut zero = std::pin::pin!(self.zero.notified());
            zero.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            zero.await;
        }
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        // Who holds a lease may double it, also when the door is closed.
        self.0.count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.zero.notify_waiters();
        }
    }
}

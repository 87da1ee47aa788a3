//! The number of leases that are out, and the door that shutdown closes.
//!
//! Counted in several places, so that threads do not fight for one word. A lease and its doubles are
//! counted in the same place: a place at zero behind a closed door stays at zero, so the places may
//! be looked at one after the other.

use std::array;
use std::sync::atomic::Ordering;

use crate::sync::{AtomicBool, AtomicUsize, Notify, PLACES};

#[derive(Debug)]
pub(crate) struct Gauge {
    counts: [Count; PLACES],
    closed: AtomicBool,
    zero: Notify,
}

/// On cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Count(AtomicUsize);

/// One lease. Goes back by [`Gauge::leave`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Token {
    place: usize,
}

impl Default for Gauge {
    fn default() -> Self {
        Self {
            counts: array::from_fn(|_| Count(AtomicUsize::new(0))),
            closed: AtomicBool::new(false),
            zero: Notify::default(),
        }
    }
}

impl Gauge {
    /// `None` after [`close`](Self::close). Any `place` is right; one per thread is fast.
    pub(crate) fn enter(&self, place: usize) -> Option<Token> {
        let token = Token {
            place: place % PLACES,
        };
        // Counted first and checked then: either this sees the door closed, or `close` sees this.
        self.count_of(&token).fetch_add(1, Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            self.leave(&token);
            return None;
        }
        Some(token)
    }

    /// Who holds a lease may double it, also when the door is closed.
    pub(crate) fn double(&self, token: &Token) -> Token {
        self.count_of(token).fetch_add(1, Ordering::SeqCst);
        Token { place: token.place }
    }

    /// Once for each token.
    pub(crate) fn leave(&self, token: &Token) {
        self.count_of(token).fetch_sub(1, Ordering::SeqCst);
        // Nobody waits before the door is closed.
        if self.closed.load(Ordering::SeqCst) {
            self.zero.notify_waiters();
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> usize {
        let counts = self.counts.iter();
        counts.map(|count| count.0.load(Ordering::SeqCst)).sum()
    }

    /// Resolves when nobody is inside any more; call [`close`](Self::close) first.
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

    fn count_of(&self, token: &Token) -> &AtomicUsize {
        &self.counts[token.place].0
    }
}

//! The limiters of a program, by key.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limit::{ConnectionLimiter, DEFAULT_LIMIT};

/// One [`ConnectionLimiter`] for each key. Keys do not disturb each other; who asks for the same
/// key shares the same limiter.
///
/// A clone is another handle on the same limiters. Keys may come and go without number: those of
/// the default limit are kept only while somebody uses them.
///
/// ```
/// # async fn run() {
/// use naq_connection::Limiters;
///
/// let limiters = Limiters::new(50).limit("reports", 5);
/// let _permit = limiters.get("reports").acquire().await;
/// # }
/// ```
#[derive(Clone)]
pub struct Limiters {
    default_limit: usize,
    keys: Arc<Mutex<Keys>>,
}

#[derive(Default)]
struct Keys {
    /// With limits of their own; they stay.
    named: HashMap<String, ConnectionLimiter>,
    /// With the default limit.
    others: HashMap<String, ConnectionLimiter>,
    /// The number of `others` at which the unused ones are dropped.
    sweep_at: usize,
}

const SWEEP_FROM: usize = 64;

impl Limiters {
    /// `default_limit` is that of each key without one of its own.
    #[must_use]
    pub fn new(default_limit: usize) -> Self {
        Self {
            default_limit,
            keys: Arc::default(),
        }
    }

    /// Gives `key` a limit of its own.
    ///
    /// Before its first use: a key that is in use keeps the limit that it has (and a warning is
    /// logged), because beside a second limiter the first would limit nothing.
    #[must_use]
    pub fn limit(self, key: impl Into<String>, limit: usize) -> Self {
        let (key, own) = (key.into(), ConnectionLimiter::new(limit));
        let mut keys = self.lock();
        let used = keys.find(&key).map(ConnectionLimiter::limit);
        let kept = used.is_some_and(|limit| limit != own.limit());
        if used.is_none() {
            keys.named.insert(key.clone(), own);
        }
        drop(keys);
        if kept {
            tracing::warn!(key, limit, "the key is in use and keeps its limit");
        }
        self
    }

    /// The limiter of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> ConnectionLimiter {
        let mut keys = self.lock();
        if let Some(limiter) = keys.find(key) {
            return limiter.clone();
        }
        keys.sweep();
        let limiter = ConnectionLimiter::new(self.default_limit);
        keys.others.insert(key.to_owned(), limiter.clone());
        limiter
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn find(&self, key: &str) -> Option<&ConnectionLimiter> {
        self.named.get(key).or_else(|| self.others.get(key))
    }

    /// Forgets what nobody uses, rarely enough to cost each new key a constant on average.
    fn sweep(&mut self) {
        if self.others.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        // A clone is only made under this lock, so what is unused now stays so.
        self.others.retain(|_, limiter| !limiter.is_unused());
        self.sweep_at = self.others.len() * 2;
    }
}

/// With [`DEFAULT_LIMIT`].
impl Default for Limiters {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl fmt::Debug for Limiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.lock();
        f.debug_struct("Limiters")
            .field("default_limit", &self.default_limit)
            .field("named", &keys.named)
            .field("others", &keys.others.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_nobody_uses_are_forgotten_and_used_ones_are_not() {
        let limiters = Limiters::new(2).limit("named", 1);
        let held = limiters.get("held").try_acquire().unwrap();
        for n in 0..10_000 {
            drop(limiters.get(&n.to_string()));
        }
        assert!(limiters.lock().others.len() <= SWEEP_FROM);
        assert_eq!(limiters.get("held").available(), 1);
        assert_eq!(limiters.get("named").limit(), 1);
        drop(held);
    }

    #[test]
    fn a_key_in_use_keeps_its_limit() {
        let limiters = Limiters::new(2);
        let early = limiters.get("key");
        let limiters = limiters.limit("key", 7);
        assert_eq!(limiters.get("key").limit(), early.limit());
    }
}

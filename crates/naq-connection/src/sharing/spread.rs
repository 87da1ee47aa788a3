//! One value that all threads hold and let go of all the time, without fighting for its count.
//!
//! A reference count is one word, and a word that two processors write in turn travels between them
//! each time. Here each thread counts in a place of its own, and only the places hold the value.

use std::array;
use std::ops::Deref;
use std::sync::Arc;

use crate::monitor::stripe;

const PLACES: usize = 8;

/// The value, for those who hand it out.
pub(crate) struct Spread<T>([Share<T>; PLACES]);

/// The value, for those who use it. It lives until the [`Spread`] and all of these are gone.
pub(crate) struct Share<T>(Arc<Place<T>>);

/// Its count is on a cache line of its own (two, for processors that fetch them in pairs).
#[repr(align(128))]
struct Place<T>(Arc<T>);

impl<T> Spread<T> {
    pub(crate) fn new(value: &Arc<T>) -> Self {
        Self(array::from_fn(|_| Share::alone(Arc::clone(value))))
    }

    /// Counted in the place of this thread.
    pub(crate) fn share(&self) -> Share<T> {
        self.0[stripe() % PLACES].clone()
    }

    pub(crate) fn arc(&self) -> &Arc<T> {
        &self.0[0].0.0
    }
}

impl<T> Share<T> {
    /// Counted apart from all others.
    pub(crate) fn alone(value: Arc<T>) -> Self {
        Self(Arc::new(Place(value)))
    }
}

impl<T> Clone for Spread<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for Share<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Spread<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.arc()
    }
}

impl<T> Deref for Share<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_lives_until_the_last_of_them_is_gone() {
        let value = Arc::new(());
        let spread = Spread::new(&value);
        let here = spread.share();
        let there = std::thread::scope(|scope| scope.spawn(|| spread.share()).join());
        let alone = Share::alone(Arc::clone(spread.arc()));
        drop(spread.clone());
        drop((spread, alone));
        assert!(Arc::strong_count(&value) > 1);
        drop((here, there));
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

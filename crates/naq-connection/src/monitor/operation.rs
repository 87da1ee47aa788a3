//! Times of the user's own operations, by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use super::histogram::Histogram;
use super::timing::Timing;

/// Names after the first so many are counted together.
const MAX_NAMES: usize = 256;
const REST: &str = "other";

/// How often an operation was done, how it ended, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OperationMetrics {
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that returned an error.
    pub failed: u64,
    /// Those that were dropped half-way or panicked.
    pub cancelled: u64,
    /// How long they took, whatever their end.
    pub time: Timing,
}

#[derive(Debug, Default)]
pub(super) struct Operations(RwLock<HashMap<String, Arc<Operation>>>);

#[derive(Debug, Default)]
struct Operation {
    succeeded: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    time: Histogram,
}

impl Operation {
    fn metrics(&self) -> OperationMetrics {
        OperationMetrics {
            succeeded: self.succeeded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
            time: Timing::of(&self.time.counts()),
        }
    }
}

impl Operations {
    pub(super) fn start(&self, name: &str) -> OperationTimer {
        OperationTimer {
            operation: self.get(name),
            start: Instant::now(),
            succeeded: None,
        }
    }

    fn get(&self, name: &str) -> Arc<Operation> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(operation) = known.get(name) {
            return Arc::clone(operation);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let full = known.len() >= MAX_NAMES && !known.contains_key(name);
        let name = if full { REST } else { name };
        Arc::clone(known.entry(name.to_owned()).or_default())
    }

    pub(super) fn metrics(&self) -> BTreeMap<String, OperationMetrics> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .map(|(name, operation)| (name.clone(), operation.metrics()))
            .collect()
    }

    pub(super) fn reset(&self) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Measures one operation until it is told the outcome; dropped before, it counts as cancelled.
#[derive(Debug)]
#[must_use = "dropped, the operation counts as cancelled"]
pub struct OperationTimer {
    operation: Arc<Operation>,
    start: Instant,
    succeeded: Option<bool>,
}

impl OperationTimer {
    /// The operation is done.
    pub fn succeeded(mut self) {
        self.succeeded = Some(true);
    }

    /// The operation returned an error.
    pub fn failed(mut self) {
        self.succeeded = Some(false);
    }
}

impl Drop for OperationTimer {
    fn drop(&mut self) {
        let operation = &self.operation;
        let count = match self.succeeded {
            Some(true) => &operation.succeeded,
            Some(false) => &operation.failed,
            None => &operation.cancelled,
        };
        count.fetch_add(1, Ordering::Relaxed);
        operation.time.record(self.start.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_are_counted_together() {
        let operations = Operations::default();
        for n in 0..10_000 {
            operations.start(&format!("op {n}")).succeeded();
        }
        operations.start("op 0").failed();
        let metrics = operations.metrics();
        assert_eq!(metrics.len(), MAX_NAMES + 1);
        assert_eq!(metrics[REST].succeeded, 10_000 - 256);
        assert_eq!((metrics["op 0"].succeeded, metrics["op 0"].failed), (1, 1));
    }

    #[test]
    fn an_operation_that_is_dropped_half_way_is_neither_a_success_nor_a_failure() {
        let operations = Operations::default();
        drop(operations.start("report"));
        let metrics = operations.metrics()["report"];
        let counts = (metrics.succeeded, metrics.failed, metrics.cancelled);
        assert_eq!((counts, metrics.time.count), ((0, 0, 1), 1));
    }
}

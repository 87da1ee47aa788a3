//! Doing it again: which errors, how often, after which delay, and never so much that an outage grows.
//!
//! `policy` is what callers build and run; `classify` says which errors are worth another attempt,
//! `delays` how long to wait before it (pure), `budget` how many retries everybody together may make.

mod budget;
mod classify;
mod delays;
mod policy;

pub use budget::RetryBudget;
pub use classify::{Classify, Retryable, Transient, When};
pub use policy::{Attempts, Retry};

//! A breaker: after failures in a row calls are refused at once, until one probe has gone well.
//!
//! `machine` decides (pure, the time comes in as a number) and `word` packs it into 64 bits, so
//! that `circuit` makes every step by one compare-and-swap; a call on a closed breaker only reads.
//! `builder` has the settings, `error` what a caller is told.

mod builder;
mod circuit;
mod error;
mod machine;
#[cfg(test)]
mod model;
#[cfg(test)]
mod packing;
mod word;

pub use builder::CircuitBreakerBuilder;
pub use circuit::CircuitBreaker;
pub use error::BreakerError;
pub use machine::CircuitState;

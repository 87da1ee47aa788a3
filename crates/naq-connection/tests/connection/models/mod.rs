//! Model checks: the sources themselves, compiled with primitives that a scheduler controls, and
//! run in every order of their steps, or in thousands of random orders where all are too many.
//!
//! A check finds a broken promise by its assertions, and a wake-up that is lost as a deadlock. The
//! scheduler takes all steps as sequentially consistent, which is what the gauge asks for, and
//! what any ordering is on the breaker's single word.

mod breaker;
mod gauge;
mod swap;

/// Random orders of those that are too many to be tried all.
const RANDOM: usize = 2_000;

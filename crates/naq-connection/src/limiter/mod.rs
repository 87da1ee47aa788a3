//! How many may use something at once: one limiter that all users share, or one for each key.
//!
//! `limit` is the limiter with its permits, `keyed` the limiters of a program by name. Neither
//! knows of connections: a lease costs none, so what is limited is the work that is done on it.

mod keyed;
mod limit;

pub use keyed::Limiters;
pub use limit::{ConnectionLimiter, DEFAULT_LIMIT, LimitReached, Permit};

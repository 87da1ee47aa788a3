//! The error of every fallible call in this crate: what went wrong, whether waiting helps, and
//! whether the call may have taken effect all the same.
//!
//! Errors of the caller's own code are never wrapped here.
//!
//! `kind` is what can go wrong, `connection_error` the error, `change` a difference that it may name,
//! `client` how errors of the NATS client turn into it.

mod change;
mod client;
mod connection_error;
mod kind;

pub use change::Change;
pub use connection_error::ConnectionError;
pub use kind::{ConnectionErrorKind, Operation};

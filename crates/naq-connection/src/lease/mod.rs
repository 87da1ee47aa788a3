//! What a caller holds: a counted lease on the shared client, and what can be done with it.
//!
//! `connection` is the lease itself, the others its verbs. Leaving a scope is a synchronous decrement
//! and the same on success, error, panic and cancellation.

mod acked;
mod connection;
mod deadline;
mod flush;
mod given;
mod inbox;
mod jetstream;
mod publish;
mod read;
mod request;
mod subscribe;

pub(crate) use deadline::end;

pub use connection::Connection;
pub use inbox::read_acknowledgement;
pub use jetstream::JetStream;
pub use subscribe::Subscription;

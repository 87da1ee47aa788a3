//! Making a connection, and making it again: the only place of the project that dials.
//!
//! `plan` is the settings made ready (servers apart from their credentials), `credentials` what a
//! client proves itself with and where it comes from, `attempt` the first dial under one deadline,
//! `options` the client's options, `reconnect` what precedes each later attempt, `failover` the
//! choice of server and delay, `backoff` the delays. What becomes of the client is decided in
//! `slot`.

mod attempt;
mod backoff;
mod credentials;
mod failover;
mod options;
mod plan;
mod reconnect;

pub use credentials::Credentials;

pub(crate) use attempt::{Dialling, dial};
pub(crate) use backoff::Backoff;
pub(crate) use credentials::Provider;
pub(crate) use plan::{Newest, Plan};

//! Making a connection, and making it again: the only place of the project that dials.
//!
//! `plan` is the settings made ready (servers apart from their credentials), `credentials` what a
//! program gives instead, `auth` what is shown to the server, `attempt` the first dial under one
//! deadline, `measured` the same with numbers and a span, `options` the client's options,
//! `reconnect` what precedes each later attempt, `failover` the choice of server and delay,
//! `backoff` the delays. What becomes of the client is decided in `slot`.

mod attempt;
mod auth;
mod backoff;
mod credentials;
mod failover;
mod measured;
mod options;
mod plan;
mod reconnect;

pub use credentials::Credentials;

pub(crate) use attempt::Dialling;
pub(crate) use backoff::Backoff;
pub(crate) use credentials::Provider;
pub(crate) use measured::dial;
pub(crate) use plan::{Endpoint, Newest, Plan};

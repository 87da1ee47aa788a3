//! Making a connection, and making it again: the only place of the project that dials.
//!
//! `plan` is the settings made ready (servers apart from their credentials), `auth` what is shown
//! to the server, `attempt` the first dial under one deadline, `measured` the same with numbers and
//! a span, `options` the client's options, `failover` the choice of server and delay after a loss,
//! `backoff` the delays. What becomes of the client is decided in `slot`.

mod attempt;
mod auth;
mod backoff;
mod failover;
mod measured;
mod options;
mod plan;

pub(crate) use backoff::Backoff;
pub(crate) use measured::dial;
pub(crate) use plan::{Endpoint, Plan};

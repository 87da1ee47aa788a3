//! Scopes: a lease for as long as a piece of work lasts, on the service of this runtime or on a given one.
//!
//! `global` is the service of this runtime, `target` what a lease is asked of, `record` the one
//! error record of a failure. `connection` and `jetstream` are what users call, `monitored` watches
//! one call, `metrics` are the numbers.

mod connection;
mod global;
mod jetstream;
mod metrics;
mod monitored;
mod record;
mod target;

pub use connection::{ConfirmedConnection, NatsConnection, nats_connection, with_nats_connection};
pub use global::{get_config, global, shutdown_global};
pub use jetstream::{NatsJetStream, jetstream_context, nats_jetstream, with_jetstream};
pub use metrics::{connection_monitor, get_connection_metrics, reset_connection_metrics};
pub use monitored::monitored;

pub(crate) use global::given_or_global;
pub(crate) use record::{tell, tell_body};
pub(crate) use target::Target;

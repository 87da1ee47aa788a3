//! The service: profiles, leases, start and shutdown.
//!
//! `handle` is the service itself, `builder` its start, `acquire` how a lease is asked for, `take` how it is given,
//! `exclusive` connections of one owner, `metrics` what was counted, `shutdown` its end. How a client is shared is in `slot`, what a lease can do in `lease`.

mod acquire;
mod builder;
mod exclusive;
mod handle;
mod lane;
mod metrics;
mod shutdown;
mod take;

pub use acquire::Acquire;
pub use builder::{ConnectionServiceBuilder, StartMode};
pub use handle::{ConnectionService, DEFAULT_PROFILE};
pub use lane::Lane;
pub use shutdown::ShutdownReport;

//! The service: profiles, leases, start and shutdown.
//!
//! `handle` is the service itself, `builder` its start, `shutdown` its end. How a client is shared
//! is in `slot`, what a lease can do in `lease`.

mod builder;
mod handle;
mod shutdown;

pub use builder::{ConnectionServiceBuilder, StartMode};
pub use handle::{ConnectionService, DEFAULT_PROFILE};
pub use shutdown::ShutdownReport;

//! The service: profiles, leases, start and shutdown.
//!
//! `handle` is the service itself, `builder` its start, `acquire` how a lease is asked for, `take` how it is given,
//! `exclusive` connections of one owner, `profiles` what there is at one moment, `rotate` and `reload` its change,
//! `metrics` what was counted, `shutdown` its end. How a client is shared is in `slot`, what a lease can do in `lease`.

mod acquire;
mod builder;
mod exclusive;
mod handle;
mod metrics;
mod profiles;
mod reload;
mod rotate;
mod shutdown;
mod take;

pub use acquire::Acquire;
pub use builder::{ConnectionServiceBuilder, StartMode};
pub use handle::{ConnectionService, DEFAULT_PROFILE};
pub use reload::{ProfileReload, ReloadReport};
pub use shutdown::ShutdownReport;

//! The service: profiles, leases, start and shutdown.
//!
//! `handle` is the service itself, `builder` its start, `acquire` how a lease is asked for, `take` how it is given,
//! `exclusive` connections of one owner, `profiles` what there is at one moment, `rotate` and `reload` its change, `follow` that by files,
//! `metrics` what was counted, `shutdown` its end. How a client is shared is in `slot`, what a lease can do in `lease`.

mod acquire;
mod builder;
mod exclusive;
#[cfg(feature = "watch")]
mod follow;
mod handle;
mod metrics;
mod profiles;
mod reload;
mod rotate;
mod shutdown;
mod take;

pub use crate::dial::Credentials;
pub use acquire::Acquire;
pub use builder::{ConnectionServiceBuilder, StartMode};
#[cfg(feature = "watch")]
pub use follow::Following;
pub use handle::{ConnectionService, DEFAULT_PROFILE};
pub use reload::{ProfileReload, ReloadReport};
pub use shutdown::ShutdownReport;

//! What connections did and what they are doing: counts, times, leases that are out, alerts.
//!
//! `handle` is the monitor itself and `guard` what it hands out, `meter` the numbers of one profile
//! and lane, made of `histogram`, `striped` and `traffic`. `leases` knows where each lease was
//! taken, by the clock of `moment`, `watcher` tells of those that stay out. `snapshot` and `timing` are
//! what a reader gets, `alerts` judges it, `activity` is a span with an outcome, `export` hands it to
//! the `metrics` facade. Nothing here knows what a connection is.

mod activity;
mod alerts;
#[cfg(feature = "metrics")]
mod export;
mod guard;
mod handle;
mod histogram;
mod leases;
mod meter;
mod moment;
mod operation;
mod snapshot;
mod striped;
mod timing;
mod traffic;
mod watcher;

pub use alerts::{Alert, AlertRules};
pub use guard::{Connected, Connecting};
pub use handle::ConnectionMonitor;
pub use leases::LeaseInfo;
pub use operation::{OperationMetrics, OperationTimer};
pub use snapshot::ConnectionMetrics;
pub use timing::Timing;

pub(crate) use activity::Activity;
pub(crate) use leases::{Key, Place};
pub(crate) use meter::Meter;
pub(crate) use striped::stripe;
pub(crate) use traffic::Published;
pub(crate) use watcher::watch;

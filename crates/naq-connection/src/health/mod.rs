//! Whether the connection that is in use works, asked once, waited for, measured, or watched.
//!
//! `report` is what a check finds, `probe` the check, `wait` and `performance` what is built on
//! it. `machine` decides what a series of checks means (pure), `checker` is the loop around it.
//! All of them ask the live connection: that a new one could be made says little about the one
//! that the program uses.

mod checker;
mod machine;
mod performance;
mod probe;
mod report;
mod wait;

pub use checker::{HealthChecker, HealthCheckerBuilder};
pub use performance::{Performance, measure_connection_performance};
pub use probe::{probe, probe_within, test_nats_connection};
pub use report::{Health, HealthState};
pub use wait::wait_for_nats_connection;

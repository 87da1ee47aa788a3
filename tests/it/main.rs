//! The whole system against a real nats-server: one module per theme.

mod setup;

mod crash;
mod process;
mod run;

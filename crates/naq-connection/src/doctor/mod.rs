//! Step by step from the host name to JetStream: what works, what does not, and what to do.
//!
//! ```text
//!   settings ─► reach (each server) ─► session ────────────────► server ─► account
//!               lookup, TCP, greeting  TLS, credentials, then    version,  JetStream, limits,
//!                                      permissions, round trip   features  replicas, clock
//!                                                                monitor ─► fsync
//! ```
//!
//! A step that fails makes those after it `Skipped`. What a client cannot see is said, not guessed.

mod account;
mod clock;
mod examination;
mod finding;
mod monitor;
mod reach;
mod report;
mod server;
mod session;

pub use examination::{Expectations, examine};
pub use finding::{Check, Finding, Verdict};

//! Typed settings of NAQ.
//!
//! The types are in [`settings`]; each has a `Default` that works against a server on this host.

mod secret;
pub mod settings;

pub use secret::Secret;
pub use settings::Settings;

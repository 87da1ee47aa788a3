//! Typed settings of NAQ.
//!
//! [`Loader`] puts them together from layers: built-in defaults, files, the chosen profile,
//! environment variables, code or command line flags; the later wins. Whatever is wrong comes
//! back in one [`ConfigError`], each [`Problem`] with its file, line and key.
//!
//! The types are in [`settings`]; each has a `Default` that works against a server on this host.
//! The rules for names of queues and job kinds are in [`names`].
//!
//! ```
//! let settings = naq_config::Settings::from_yaml("workers: {concurrency: 4, ttl: 2m}")?;
//! assert_eq!(settings.workers.concurrency, 4);
//! assert_eq!(settings.workers.ttl.as_secs(), 120);
//! # Ok::<(), naq_config::ConfigError>(())
//! ```

mod error;
mod interpolate;
mod loader;
pub mod names;
mod origin;
mod schema;
mod secret;
mod server_url;
pub mod settings;
mod validate;
mod yaml;

pub use error::{ConfigError, Problem};
pub use loader::{Loaded, Loader};
pub use origin::{Origin, Origins, Place};
pub use schema::{KeyInfo, known_keys};
pub use secret::Secret;
pub use server_url::redact_url;
pub use settings::Settings;

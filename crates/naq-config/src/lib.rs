//! Typed settings of NAQ.
//!
//! [`Loader`] puts them together from layers: built-in defaults, files, the chosen profile,
//! environment variables, code or command line flags; the later wins. Whatever is wrong comes
//! back in one [`ConfigError`], each [`Problem`] with its file, line and key.
//!
//! # Files
//!
//! A file has the sections of [`Settings`], and `environments.<name>` for profiles. The type of
//! a key decides how its value is read:
//!
//! * a time is a number of seconds (`2.5`) or has units (`500ms`, `1h30m`, `7d`);
//! * a size is a number of bytes or has a unit (`64KiB`, `1GB`);
//! * `123` and `on` stay texts for a key that takes a text.
//!
//! Values may have variables; keys and comments are left alone:
//!
//! | form | stands for |
//! | --- | --- |
//! | `${NAME}` | the variable, also if it is empty; a problem if it is not set |
//! | `${NAME:default}` | the variable, also if it is empty; the default if it is not set |
//! | `${NAME:-default}` | the variable, or the default if it is not set or empty |
//! | `$$` | `$`; a `$` before anything but `{` or `$` needs no doubling |
//!
//! A default may have colons. A variable without a value is no problem where a later layer sets
//! the key anyway.
//!
//! # Features
//!
//! `watch` (off): `Loader::watch` follows the files and loads anew when one has changed.
//!
//! # Types
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

mod describe;
mod error;
mod interpolate;
mod loader;
pub mod names;
mod origin;
mod schema;
mod secret;
mod server_url;
pub mod settings;
mod show;
mod validate;
#[cfg(feature = "watch")]
mod watch;
mod yaml;

pub use describe::{default_file, environment_file, json_schema, minimal_file};
pub use error::{ConfigError, Problem};
pub use loader::{Loaded, Loader};
pub use origin::{Origin, Origins, Place};
pub use schema::{KeyInfo, advice_for_variable, known_keys};
pub use secret::Secret;
pub use server_url::redact_url;
pub use settings::Settings;
pub use show::Shown;
#[cfg(feature = "watch")]
pub use watch::{Watch, WatchError};

//! From layers to settings.
//!
//! ```text
//! built-in defaults                       settings::*::default
//!   < built-in values of the profile      profiles
//!   < files                               files, walk
//!   < the profile's section in the files  profiles, walk
//!   < environment variables               environment
//!   < code and command line flags         builder
//! ```
//!
//! A layer is a list of values for keys. [`assembly`] writes one layer after the other into the
//! settings, so the later one wins, and collects every problem on the way. The built-in values
//! of a profile come before the files: choosing a profile must not undo what somebody wrote.

mod assembly;
mod builder;
mod environment;
mod files;
mod profiles;
mod walk;

pub use builder::{Loaded, Loader};

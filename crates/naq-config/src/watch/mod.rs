//! Noticing that a configuration file has changed, and loading anew (feature `watch`).
//!
//! ```text
//!   file system ──event──► wake (one place) ──► settle: quiet for 250 ms, or 2 s at the most
//!                                                 │
//!                              same as before ◄── load ──► other: the callback hears it
//! ```
//!
//! Directories are watched, not files: editors and Kubernetes replace a file by renaming, which a
//! watch of the file itself would not survive. What is behind a link is watched too.

mod error;
mod places;
mod task;

pub use error::WatchError;
pub use task::Watch;

//! The jobs that have not ended: listed, and made due earlier.

mod forward;
mod list;

pub use list::{Backlog, BacklogPage, PendingJob};

//! What a running job tells those who watch it: progress, partial results, its log.
//!
//! ```text
//!   handler ──► outbox (bounded, never waits) ──► sender (one task of the worker) ──► stream of notes ──► watch
//! ```

mod feed;
mod news;
mod outbox;
mod sender;
mod watch;

pub(crate) use news::Said;
pub use news::{JobNews, LogLine, Part, Progress};
pub(crate) use outbox::{Outbox, Whose};
pub use watch::Watch;

//! Sends what was recorded, and reads it again.
//!
//! ```text
//!   crate::events ──► outbox ──► naq_events, naq_counters
//!                       └──► measure (the `metrics` facade)
//!   events ──► live, history, processor ──► feed ──► naq_events        filter: what is wanted
//!      └─────► stats ──► naq_counters
//! ```
//!
//! `docs/design/0010-events.md` has the failure table.

mod connections;
mod counters;
mod feed;
mod filter;
mod handle;
mod handlers;
mod history;
mod measure;
mod outbox;
mod processor;
mod session;
mod stats;
mod stream;

pub use filter::EventFilter;
pub use handle::Events;
pub use history::JobHistory;
pub use processor::{EventProcessor, ProcessorReport, RunningProcessor};
pub use stats::{EventStats, StatsBy, StatsRow};
pub use stream::EventStream;

pub(crate) use outbox::{LAST_FLUSH, start_outbox};

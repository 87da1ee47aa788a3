//! What is told of jobs, workers and schedules, from the hook to the batch that is ready to be sent.
//!
//! ```text
//!   hooks ──► recorder ──► buffer (pure) ──► batches, counts
//!              (lock)       groups, bound
//! ```
//!
//! Sending and reading is [`crate::event_log`]; the bytes are in `docs/reference/events.md`.

mod batch;
mod buffer;
mod event;
mod event_type;
mod fact;
mod recorder;

pub(crate) use batch::Batch;
pub(crate) use buffer::{Count, Taken};
pub(crate) use event::read_batch;
pub use event::{Body as EventBody, Event};
pub use event_type::{EventType, UnknownEventType};
pub(crate) use fact::{Fact, NONE};
pub(crate) use recorder::{Pipe, Recorder};

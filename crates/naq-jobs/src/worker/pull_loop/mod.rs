//! The loop that pulls from one queue at one priority, around [`super::puller`]: one inbox per connection epoch.
//!
//! ```text
//!   epochs ──► ask   the consumer, jobs
//!     └──────► news  settings, pauses, the lease time
//! ```

mod ask;
mod epochs;
mod news;

pub(super) use epochs::PullLoop;

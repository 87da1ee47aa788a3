//! The loop that pulls from one queue at one priority, around [`super::puller`]: one inbox per connection epoch.
//!
//! ```text
//!   epochs ──► ask   the consumer, jobs
//!     ├──────► news  settings, pauses, the lease time
//!     └──────► behind  jobs that the consumer has passed by
//! ```

mod ask;
mod behind;
mod epochs;
mod news;

pub(super) use behind::Behind;
pub(super) use epochs::PullLoop;

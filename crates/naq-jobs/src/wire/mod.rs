//! The bytes on the wire, version 1: subjects, headers, envelope, outcome, dead letter.
//!
//! Specified for other languages in `docs/reference/wire.md`, whose test vectors are read by the tests of this folder.

mod anywhere;
mod cancel;
mod control_names;
mod dead;
mod envelope;
mod event_names;
mod flow_names;
mod hash;
mod header;
mod names;
mod note_names;
mod outcome;
mod payload_names;
mod presence;
mod recurring_names;
mod retry;
mod spot;
mod times;
mod unique;
mod unique_names;

pub(crate) use cancel::{CancelAnswer, CancelNotice, holder};
pub(crate) use control_names::Counted;
pub(crate) use dead::{DeadHeaders, dead_headers};
pub(crate) use envelope::{Envelope, FlowNode, Undecodable, decode, encode};
pub(crate) use hash::{fnv, token};
pub(crate) use header::{Delivery, MAX_HEADER_TEXT, carried, moved, origin, passed_on, text};
pub(crate) use names::Names;
pub use outcome::{FailureReason, JobFailure, Outcome, Status};
pub use presence::{RunningJob, WorkerConnection, WorkerRecord, WorkerStatus};
pub(crate) use spot::{Spot, Stage, later_patterns, parked_pattern, queue_patterns};
pub(crate) use times::millis;
pub(crate) use unique::{KeyHash, Place, UniqueSubject};

/// Headers of this project and of the server that are used.
pub mod headers {
    pub use super::header::{
        AFTER, ATTEMPT, BOOKED, DEAD_AT, ERROR, FENCE, FOLLOWS, INSTANT, KIND, LIMIT_KEY, PARKED,
        PARKED_AT, PRIORITY, QUEUE, REASON, RETRY, SCHEDULE, SNOOZE, STATUS, TURN, UNIQUE, WORKER,
    };
}

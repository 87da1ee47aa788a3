//! The types of events.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The text is no [`EventType`]; the message has those that there are. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no type of event; there are {}", names())]
pub struct UnknownEventType {
    given: String,
}

macro_rules! types {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What an event tells.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventType {
            $($(#[doc = $doc])+ $variant,)+
            /// A type that this version does not know; a newer one wrote it.
            Unknown,
        }

        impl EventType {
            /// All types that this version knows, in the order of a life.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name, as it is on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Unknown => "unknown",
                }
            }

            /// What it tells, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+),)+
                    Self::Unknown => "A type that this version does not know.",
                }
            }
        }
    };
}

types! {
    /// A job is stored in its queue.
    Enqueued = "enqueued",
    /// A job is stored, to be enqueued at its time.
    Scheduled = "scheduled",
    /// An attempt begins.
    Started = "started",
    /// A handler has told how far it is.
    Progress = "progress",
    /// An attempt has succeeded, and the job with it.
    Completed = "completed",
    /// An attempt has failed, and the job runs again.
    RetryScheduled = "retry_scheduled",
    /// The job has failed for good.
    Failed = "failed",
    /// The failed job is in the dead letters.
    DeadLettered = "dead_lettered",
    /// A dead letter was put back into its queue.
    Requeued = "requeued",
    /// The job was cancelled.
    Cancelled = "cancelled",
    /// The job was not started before its expiry.
    Expired = "expired",
    /// A worker has lost the lease of a job; another one runs it.
    LeaseLost = "lease_lost",
    /// A worker that stops has put the job back into its queue.
    HandedBack = "handed_back",
    /// A limit keeps the job from running now.
    Limited = "limited",
    /// The job is parked: nobody may or can run it now.
    Parked = "parked",
    /// The handler wants to go on with the job later.
    Snoozed = "snoozed",
    /// A queue or a kind was paused.
    Paused = "paused",
    /// A queue or a kind was resumed.
    Resumed = "resumed",
    /// A recurring schedule was created.
    ScheduleCreated = "schedule_created",
    /// A recurring schedule has made a job.
    ScheduleTriggered = "schedule_triggered",
    /// A recurring schedule was paused.
    SchedulePaused = "schedule_paused",
    /// A recurring schedule was resumed.
    ScheduleResumed = "schedule_resumed",
    /// A recurring schedule was changed.
    ScheduleModified = "schedule_modified",
    /// A recurring schedule was deleted.
    ScheduleCancelled = "schedule_cancelled",
    /// A firing of a recurring schedule could not be handled.
    SchedulerError = "scheduler_error",
    /// A workflow was submitted.
    WorkflowStarted = "workflow_started",
    /// A node of a workflow has ended, and others may run.
    WorkflowAdvanced = "workflow_advanced",
    /// A workflow has ended well.
    WorkflowCompleted = "workflow_completed",
    /// A workflow has failed.
    WorkflowFailed = "workflow_failed",
    /// A workflow was cancelled.
    WorkflowCancelled = "workflow_cancelled",
    /// A worker has started.
    WorkerStarted = "worker_started",
    /// A worker has nothing to do.
    WorkerIdle = "worker_idle",
    /// A worker that was idle runs a job.
    WorkerBusy = "worker_busy",
    /// A sign of life of a worker.
    WorkerHeartbeat = "worker_heartbeat",
    /// Something of a worker does not work.
    WorkerError = "worker_error",
    /// A worker has stopped.
    WorkerStopped = "worker_stopped",
    /// The connection of a process is there, or there again.
    ConnectionUp = "connection_up",
    /// The connection of a process was lost.
    ConnectionDown = "connection_down",
    /// The connection of a process was replaced by a new one.
    ConnectionReplaced = "connection_replaced",
    /// A process has dropped events: the server did not take them for too long.
    Gap = "gap",
}

impl EventType {
    /// The type of this name; [`Self::Unknown`] if this version knows none.
    pub(crate) fn read(name: &str) -> Self {
        let found = Self::ALL.iter().find(|known| known.as_str() == name);
        found.copied().unwrap_or(Self::Unknown)
    }

    /// Whether it tells that an attempt has ended; such an event has a duration.
    pub fn ends_attempt(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::RetryScheduled)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::read(text) {
            Self::Unknown => Err(UnknownEventType {
                given: text.chars().take(60).collect(),
            }),
            known => Ok(known),
        }
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

fn names() -> String {
    let names: Vec<_> = EventType::ALL.iter().map(|t| t.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_is_read_back_and_is_one_token() {
        let mut seen = BTreeSet::new();
        for known in EventType::ALL {
            let name = known.as_str();
            assert_eq!(name.parse(), Ok(*known));
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(seen.insert(name), "{name}");
        }
        let error = "nothing".parse::<EventType>().unwrap_err().to_string();
        assert!(error.contains("enqueued, scheduled, started"), "{error}");
    }

    /// The types that the documents of the original name.
    #[test]
    fn the_documented_types_are_there() {
        let documented = "enqueued started completed failed retry_scheduled scheduled schedule_triggered cancelled \
             paused resumed schedule_paused schedule_resumed schedule_cancelled schedule_modified scheduler_error \
             worker_started worker_stopped worker_idle worker_busy worker_heartbeat worker_error";
        assert_eq!(documented.split_whitespace().count(), 21);
        for name in documented.split_whitespace() {
            assert!(name.parse::<EventType>().is_ok(), "{name}");
        }
    }
}

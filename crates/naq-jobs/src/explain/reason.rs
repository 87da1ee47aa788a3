//! One reason, for programs; `reason_text.rs` has it in words.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use super::{FlowReason, PlaceHolder};

/// Why a job does not run, or what became of it. As JSON: `{"reason": <word>, ...}`, times in milliseconds
/// since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Its queue is paused.
    QueuePaused {
        /// The queue.
        queue: String,
        /// Since when.
        #[serde(serialize_with = "ms", rename = "since_ms")]
        since: Option<SystemTime>,
        /// In the words of who paused it.
        why: Option<String>,
        /// Who paused it.
        by: Option<String>,
    },
    /// Its kind is paused.
    KindPaused {
        /// The kind.
        kind: String,
        /// Since when.
        #[serde(serialize_with = "ms", rename = "since_ms")]
        since: Option<SystemTime>,
        /// In the words of who paused it.
        why: Option<String>,
        /// Who paused it.
        by: Option<String>,
    },
    /// As many jobs of its limit key run as may.
    Limited {
        /// The key.
        key: String,
        /// The jobs that hold its places; at most 100 of them.
        holders: Vec<PlaceHolder>,
        /// It is released when one of them ends. Should nobody do that, it comes back by itself then.
        #[serde(serialize_with = "ms", rename = "next_look_ms")]
        next_look: Option<SystemTime>,
    },
    /// As many jobs of its queue run as may, over all workers.
    QueueLimited {
        /// The queue.
        queue: String,
        /// Jobs that may run.
        limit: u32,
        /// The jobs that run; at most 100 of them.
        holders: Vec<PlaceHolder>,
        /// A worker has it already. It is called when one of them ends, and looks after so many milliseconds at the latest.
        looks_every_ms: Option<u64>,
    },
    /// As many jobs of its kind run as may.
    KindLimited {
        /// The kind.
        kind: String,
        /// The jobs that hold its places; at most 100 of them.
        holders: Vec<PlaceHolder>,
    },
    /// It is kept back until another job of its schedule has ended.
    Awaits {
        /// That job.
        job: String,
    },
    /// It was put aside for a reason that this version does not know.
    Parked {
        /// The token of its subject.
        why: String,
    },
    /// It waits for the rate of its queue or key.
    RateBooked {
        /// When it is its turn.
        #[serde(serialize_with = "ms", rename = "until_ms")]
        until: Option<SystemTime>,
    },
    /// It is not due yet.
    NotDue {
        /// When it is.
        #[serde(serialize_with = "ms", rename = "due_ms")]
        due: Option<SystemTime>,
        /// The retry that it will be; 0: it has not failed.
        retry: u32,
        /// Retries that it has.
        retries: u32,
        /// Milliseconds until then.
        in_ms: u64,
    },
    /// It is due, and its message is still a schedule: the server is late, or does not run.
    Overdue {
        /// When it was due.
        #[serde(serialize_with = "ms", rename = "due_ms")]
        due: Option<SystemTime>,
    },
    /// No worker serves its queue.
    NobodyServes {
        /// The queue.
        queue: String,
    },
    /// Workers serve its queue, but none has a handler for its kind.
    NobodyKnows {
        /// The kind.
        kind: String,
        /// The workers that serve its queue.
        workers: usize,
    },
    /// All workers of its queue are busy.
    AllBusy {
        /// Jobs that they run.
        running: u64,
        /// Jobs that they may run.
        slots: u64,
        /// The workers.
        workers: usize,
    },
    /// As many jobs of its queue are in hand as may be (`queues.max_ack_pending`, or a limit of the queue).
    QueueFull {
        /// Jobs in hand.
        in_flight: u64,
        /// Jobs that may be.
        most: u64,
    },
    /// Others come before it.
    InLine {
        /// How many; absent if they are too many to be counted.
        ahead: Option<u64>,
    },
    /// Nothing holds it up: a worker takes it at any moment.
    AboutToRun,
    /// A worker runs it.
    Runs {
        /// The worker.
        worker: String,
        /// Since when, by the worker's clock.
        #[serde(serialize_with = "ms", rename = "since_ms")]
        since: Option<SystemTime>,
        /// The attempt, from 1.
        attempt: Option<u32>,
    },
    /// The worker that had it does not show itself any more: another one gets the job when the lease is over.
    WorkerSilent {
        /// The worker.
        worker: String,
        /// Milliseconds since its last sign of life.
        silent_ms: u64,
        /// The lease, in milliseconds.
        lease_ms: u64,
    },
    /// It is in hand, but no worker shows it: it was just taken, or its worker died and the lease is not over.
    InHand {
        /// The lease, in milliseconds.
        lease_ms: u64,
    },
    /// It completed.
    Completed {
        /// When.
        #[serde(serialize_with = "ms", rename = "at_ms")]
        at: Option<SystemTime>,
    },
    /// Nobody wanted it to run any more.
    Cancelled {
        /// Why.
        why: String,
    },
    /// It failed for good.
    Failed {
        /// The kind of failure.
        failure: String,
        /// The error.
        error: String,
        /// Whether there is a dead letter, which can be retried.
        dead_letter: bool,
    },
    /// Nothing is stored of it: it never was, its outcome has expired, or it completed without keeping one.
    Unknown,
    /// It belongs to a workflow, or is one: see there.
    #[serde(untagged)]
    Flow(FlowReason),
}

#[expect(clippy::ref_option, reason = "the form that serde asks for")]
pub(super) fn ms<S: Serializer>(time: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .serialize(to)
}

//! The record of a live worker.

use serde::{Deserialize, Serialize};

/// What a worker says about itself. The record expires when the worker falls silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// Version of this record: 1.
    pub v: u32,
    /// The worker's id: name, host, process and a random part.
    pub worker_id: String,
    /// The host it runs on.
    pub hostname: String,
    /// Its process id.
    pub pid: u32,
    /// What it does.
    pub status: WorkerStatus,
    /// The queues that it serves.
    pub queues: Vec<String>,
    /// The kinds that it has handlers for, in order; at most 256 of them.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Jobs that it may run at the same time.
    pub concurrency: u32,
    /// It takes no more jobs because an operator wants so.
    #[serde(default)]
    pub quiet: bool,
    /// Its connection when it wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<WorkerConnection>,
    /// Jobs that it runs now.
    pub running: Vec<RunningJob>,
    /// Milliseconds since 1970 at which it started.
    pub started_at_ms: u64,
    /// Version of this crate.
    pub version: String,
}

/// The connection of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerConnection {
    /// The server that it is connected to.
    pub server: String,
    /// Connections that it had before, and this one.
    pub epoch: u64,
    /// Time of one round trip to the server, in microseconds.
    pub rtt_us: u64,
}

/// A job that a worker runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningJob {
    /// The job.
    pub job_id: String,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// Milliseconds since 1970 at which the attempt started.
    pub started_at_ms: u64,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerStatus {
    /// It waits for jobs.
    Idle,
    /// It runs at least one job.
    Busy,
    /// It takes no more jobs and waits for the running ones.
    Stopping,
}

impl std::fmt::Display for WorkerStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        })
    }
}

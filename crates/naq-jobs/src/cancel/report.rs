//! What a cancel found and did.

use std::fmt;

use serde::Serialize;

use crate::model::JobId;
use crate::wire::Status;

/// What cancelling a job did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelReport {
    /// The job.
    pub id: JobId,
    /// Where it was.
    pub from: CancelledFrom,
}

/// Where a job was when it was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "was", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelledFrom {
    /// In its queue; no worker had it.
    Waiting,
    /// Due later: delayed, or before a retry.
    Scheduled,
    /// Set aside: a limit, a paused or unknown kind.
    Parked,
    /// A worker runs it and has been told; its outcome is `cancelled` already.
    Running {
        /// The worker.
        worker: String,
        /// The attempt, counted from 1.
        attempt: u32,
    },
    /// A worker had it and does not answer: it is gone or unreachable. Whatever it may still return is refused.
    Leased,
    /// In a workflow, without a job: it waited for others, or its job had been removed.
    Node {
        /// The workflow.
        workflow: String,
        /// The name of the node.
        node: String,
    },
    /// Too late: the job has an outcome.
    Ended {
        /// Which.
        status: Status,
    },
}

impl CancelReport {
    /// Whether the job is cancelled by now: by this call or by an earlier one.
    pub fn is_cancelled(&self) -> bool {
        !matches!(
            self.from,
            CancelledFrom::Ended {
                status: Status::Completed | Status::Failed
            }
        )
    }
}

impl fmt::Display for CancelledFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("was waiting"),
            Self::Scheduled => f.write_str("was due later"),
            Self::Parked => f.write_str("was parked"),
            Self::Running { worker, attempt } => {
                write!(f, "was running on {worker}, attempt {attempt}")
            }
            Self::Leased => f.write_str("was with a worker that does not answer"),
            Self::Node { workflow, node } => {
                write!(
                    f,
                    "was the node {node} of the workflow {workflow}, without a job"
                )
            }
            Self::Ended { status } => write!(f, "has ended before: {status}"),
        }
    }
}

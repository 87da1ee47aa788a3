//! What a handler knows about the job that it runs.

use std::sync::Arc;
use std::time::SystemTime;

use async_nats::HeaderMap;
use tokio_util::sync::CancellationToken;

use crate::model::{JobId, KindName, QueueName};
use crate::workflow::Membership;

/// What a handler knows about its job. A cheap handle.
#[derive(Debug, Clone)]
pub struct JobContext(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) id: JobId,
    pub(super) kind: KindName,
    pub(super) queue: QueueName,
    pub(super) attempt: u32,
    pub(super) retries: u32,
    pub(super) enqueued_at: Option<SystemTime>,
    pub(super) headers: HeaderMap,
    pub(super) worker: Arc<str>,
    pub(super) cancelled: CancellationToken,
    pub(super) membership: Option<Membership>,
}

impl JobContext {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The job's id.
    pub fn id(&self) -> &JobId {
        &self.0.id
    }

    /// The job's kind.
    pub fn kind(&self) -> &KindName {
        &self.0.kind
    }

    /// The queue that it came from.
    pub fn queue(&self) -> &QueueName {
        &self.0.queue
    }

    /// The attempt, counted from 1: retries and deliveries after a lost worker both count.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// How often the job may be retried after an error.
    pub fn retries(&self) -> u32 {
        self.0.retries
    }

    /// When it was enqueued, by the sender's clock, if the sender said so.
    pub fn enqueued_at(&self) -> Option<SystemTime> {
        self.0.enqueued_at
    }

    /// The sender's headers, such as trace context.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The id of the worker.
    pub fn worker_id(&self) -> &str {
        &self.0.worker
    }

    /// The workflow that the job belongs to: results of its parents, and a way to add nodes. `None` for a plain job.
    pub fn workflow(&self) -> Option<&Membership> {
        self.0.membership.as_ref()
    }

    /// Fires when the attempt is over for the worker: lease lost, time limit, hard stop. The handler's future is
    /// dropped then; what it has spawned should watch this token.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.0.cancelled
    }
}

//! What a handler knows about the job that it runs.

use std::any::Any;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use async_nats::HeaderMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handler::States;
use super::lazy_token::LazyToken;
use crate::model::{JobId, KindName, QueueName, ScheduleName, TraceContext};
use crate::notes::Outbox;
use crate::traces::AttemptTrace;
use crate::wire::{CancelNotice, FailureReason, JobFailure};
use crate::workflow::Membership;

/// What a handler knows about its job. A cheap handle.
#[derive(Debug, Clone)]
pub struct JobContext(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) id: JobId,
    pub(super) kind: KindName,
    pub(super) queue: QueueName,
    pub(super) attempt: u32,
    pub(super) fence: Option<u64>,
    pub(super) retries: u32,
    pub(super) enqueued_at: Option<SystemTime>,
    pub(super) deadline: Option<SystemTime>,
    pub(super) headers: HeaderMap,
    /// The schedule that made the job, and the instant that it was made for.
    pub(super) origin: Option<(ScheduleName, SystemTime)>,
    pub(super) worker: Arc<str>,
    pub(super) states: Arc<States>,
    pub(super) notes: Outbox,
    /// The number of the last note, 0 if there is none.
    pub(super) last_note: AtomicU64,
    pub(super) cancelled: LazyToken,
    pub(super) membership: Option<Membership>,
    /// The trace that the attempt belongs to.
    pub(super) trace: Option<Arc<AttemptTrace>>,
    /// Why somebody cancelled the job, and when its future is dropped.
    pub(super) notice: OnceLock<(String, Instant)>,
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

    /// The number of this run, if the job is a strict one ([`crate::Job::strict`]): larger than that of each run of the job before
    /// it, whatever happened to workers and servers. Give it to a system outside with each write, and let that refuse a write
    /// with a smaller number than it has seen: so a worker that was stopped and goes on can do no harm there. Retries that are
    /// waited for inside of a run share its number.
    pub fn fence(&self) -> Option<u64> {
        self.0.fence
    }

    /// How often the job may be retried after an error.
    pub fn retries(&self) -> u32 {
        self.0.retries
    }

    /// When it was enqueued, by the sender's clock, if the sender said so.
    pub fn enqueued_at(&self) -> Option<SystemTime> {
        self.0.enqueued_at
    }

    /// When the job is over, whatever its attempts do, if the sender said so.
    pub fn deadline(&self) -> Option<SystemTime> {
        self.0.deadline
    }

    /// The sender's headers, such as trace context.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The trace that this attempt belongs to, for what the handler asks of others: its
    /// [`parent`](TraceContext::parent) is the header `traceparent` of a request. Jobs that the handler enqueues get it by
    /// themselves. `None` if the job came with none and nobody makes spans here.
    pub fn trace(&self) -> Option<&TraceContext> {
        self.0.trace.as_ref().map(|trace| trace.context())
    }

    /// The recurring schedule that made this job, if one did.
    pub fn schedule(&self) -> Option<&ScheduleName> {
        self.0.origin.as_ref().map(|(name, _)| name)
    }

    /// The instant of its schedule that the job was made for: also the right one if it runs late or again.
    pub fn instant(&self) -> Option<SystemTime> {
        self.0.origin.as_ref().map(|(_, instant)| *instant)
    }

    /// The id of the worker.
    pub fn worker_id(&self) -> &str {
        &self.0.worker
    }

    /// The workflow that the job belongs to: results of its parents, and a way to add nodes. `None` for a plain job.
    pub fn workflow(&self) -> Option<&Membership> {
        self.0.membership.as_ref()
    }

    /// Fires when the job is to stop: somebody has cancelled it (then [`Self::cancel_reason`] says why, and the handler has
    /// the grace to end by itself), or the attempt is over for the worker: lease lost, time limit, hard stop. Then the
    /// handler's future is dropped, and what it has spawned should watch this token.
    pub fn cancelled(&self) -> &CancellationToken {
        self.0.cancelled.token()
    }

    /// Whether the job is to stop; see [`Self::cancelled`]. For loops that do not await.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.is_cancelled()
    }

    /// Why somebody has cancelled the job; `None` if nobody has.
    pub fn cancel_reason(&self) -> Option<&str> {
        self.0.notice.get().map(|(reason, _)| reason.as_str())
    }

    /// This thread works for the attempt until what is returned is dropped.
    pub(super) fn enter_trace(&self) -> Option<Box<dyn Any>> {
        self.0.trace.as_ref().map(|trace| trace.enter())
    }

    pub(super) fn states(&self) -> &States {
        &self.0.states
    }

    /// Tells the handler that the job is cancelled. The first one counts.
    pub(super) fn cancel(&self, notice: &CancelNotice) {
        let now = Instant::now();
        let stop_at = now.checked_add(notice.grace()).unwrap_or(now);
        drop(self.0.notice.set((notice.reason.clone(), stop_at)));
        self.end();
    }

    /// The attempt is over: what it has spawned is to end, too.
    pub(super) fn end(&self) {
        self.0.cancelled.cancel();
    }

    /// Completes at the end of the grace of a cancelled job, else never.
    pub(super) async fn hard_stop(&self) {
        self.0.cancelled.token().cancelled().await;
        match self.0.notice.get() {
            Some((_, stop_at)) => tokio::time::sleep_until(*stop_at).await,
            None => std::future::pending().await,
        }
    }

    /// How the job ends if somebody has cancelled it.
    pub(super) fn cancellation(&self) -> Option<JobFailure> {
        let (reason, _) = self.0.notice.get()?;
        Some(JobFailure::new(FailureReason::Cancelled, reason.clone()))
    }
}

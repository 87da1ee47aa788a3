//! A job before it is enqueued: kind, payload and options.

use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{JobId, KindName, QueueName, RetryPolicy};
use crate::{JobsError, JobsErrorKind};

/// A job before it is enqueued. `R` is the type of its result.
#[derive(Debug)]
pub struct Job<R = serde_json::Value> {
    pub(crate) id: Option<JobId>,
    pub(crate) kind: KindName,
    pub(crate) queue: Option<QueueName>,
    pub(crate) payload: Box<RawValue>,
    pub(crate) payload_version: u32,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Option<Duration>,
    pub(crate) result_ttl: Option<Duration>,
    pub(crate) keeps_result: bool,
    pub(crate) due: Option<Due>,
    returns: PhantomData<fn() -> R>,
}

/// When a job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    In(Duration),
    At(SystemTime),
}

impl Job {
    /// A job of the kind `kind` (untyped: the result is any JSON value).
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] or [`JobsErrorKind::InvalidPayload`]. A retry does not help.
    pub fn from_payload(
        kind: impl Into<std::borrow::Cow<'static, str>>,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<Self, JobsError> {
        let payload = serde_json::value::to_raw_value(payload).map_err(|e| {
            JobsError::new(JobsErrorKind::InvalidPayload, "write the payload as JSON").because(e)
        })?;
        Self::from_json(kind, payload)
    }

    /// A job whose payload is this JSON text.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] if the kind has an impossible name. A retry does not help.
    pub fn from_json(
        kind: impl Into<std::borrow::Cow<'static, str>>,
        payload: Box<RawValue>,
    ) -> Result<Self, JobsError> {
        let kind = KindName::new(kind).map_err(|e| {
            JobsError::new(JobsErrorKind::InvalidName, "name a job kind").because(e)
        })?;
        Ok(Self {
            id: None,
            kind,
            queue: None,
            payload,
            payload_version: 1,
            retry: RetryPolicy::default(),
            timeout: None,
            result_ttl: None,
            keeps_result: true,
            due: None,
            returns: PhantomData,
        })
    }
}

impl<R> Job<R> {
    /// The same job with another result type.
    pub(crate) fn returning<T>(self) -> Job<T> {
        Job {
            id: self.id,
            kind: self.kind,
            queue: self.queue,
            payload: self.payload,
            payload_version: self.payload_version,
            retry: self.retry,
            timeout: self.timeout,
            result_ttl: self.result_ttl,
            keeps_result: self.keeps_result,
            due: self.due,
            returns: PhantomData,
        }
    }

    /// The job's kind.
    pub fn kind(&self) -> &KindName {
        &self.kind
    }

    /// Gives the job an id of the caller's; default: a new ULID.
    #[must_use]
    pub fn id(mut self, id: JobId) -> Self {
        self.id = Some(id);
        self
    }

    /// The version of the payload; default: that of the kind, 1 for a job without one. See [`crate::Kind::version`].
    #[must_use]
    pub fn payload_version(mut self, version: u32) -> Self {
        self.payload_version = version;
        self
    }

    /// The queue; default: that of the kind, else `queues.default`.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`], with what to write instead.
    pub fn queue(mut self, queue: impl Into<String>) -> Result<Self, JobsError> {
        let queue = QueueName::new(queue)
            .map_err(|e| JobsError::new(JobsErrorKind::InvalidName, "name a queue").because(e))?;
        self.queue = Some(queue);
        Ok(self)
    }

    /// What happens after an error of the handler; default: that of the kind.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Time limit of one attempt; default `workers.max_job_duration`. Milliseconds count.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Time that the outcome is kept, in whole seconds, at least one; default `results.ttl`.
    #[must_use]
    pub fn result_ttl(mut self, ttl: Duration) -> Self {
        self.result_ttl = Some(ttl);
        self
    }

    /// Records nothing when the job completes: the acknowledgement is all, and a job costs about half as much. For jobs
    /// whose result nobody asks for and that may rarely run twice.
    ///
    /// A failure is recorded as ever, with its dead letter. Who waits for the outcome of such a job waits in vain if
    /// it completes. Without a record nothing refuses a second run after a lost acknowledgement: the promise is "at
    /// least once", no more.
    #[must_use]
    pub fn discard_result(mut self) -> Self {
        self.keeps_result = false;
        self
    }

    /// Runs the job not before `delay` from now. The server's schedule fires 1 to 261 ms late, never early.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Some(Due::In(delay));
        self
    }

    /// Runs the job not before `time`.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.due = Some(Due::At(time));
        self
    }
}

impl Due {
    /// The instant, seen from `now`.
    pub(crate) fn instant(self, now: SystemTime) -> SystemTime {
        match self {
            Self::In(delay) => now.checked_add(delay).unwrap_or(now),
            Self::At(time) => time,
        }
    }
}

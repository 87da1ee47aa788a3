//! A job before it is enqueued: kind, payload and options.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;

use async_nats::HeaderMap;
use naq_config::settings::Compression;
use serde::Serialize;
use serde_json::value::RawValue;

use super::header::check_header;
use super::{
    Due, JobId, KindName, ObjectRef, Priority, QueueName, RetryPolicy, TraceContext, Unique,
};
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
    pub(crate) strict: bool,
    pub(crate) due: Option<Due>,
    pub(crate) priority: Priority,
    pub(crate) limit_key: Option<String>,
    pub(crate) unique: Option<Unique>,
    pub(crate) expires: Option<Due>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) headers: HeaderMap,
    /// Where the payload is, if it is not here.
    pub(crate) payload_ref: Option<ObjectRef>,
    /// The payload as base64 of a zlib stream, if it is not in `payload`.
    pub(crate) payload_zlib: Option<String>,
    pub(crate) compression: Option<Compression>,
    returns: PhantomData<fn() -> R>,
}

impl Job {
    /// A job of the kind `kind` (untyped: the result is any JSON value).
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] or [`JobsErrorKind::InvalidPayload`]. A retry does not help.
    pub fn from_payload(
        kind: impl Into<Cow<'static, str>>,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<Self, JobsError> {
        Self::of(kind, written(payload)?)
    }

    /// A job whose payload is this JSON text.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] if the kind has an impossible name. A retry does not help.
    pub fn from_json(
        kind: impl Into<Cow<'static, str>>,
        payload: Box<RawValue>,
    ) -> Result<Self, JobsError> {
        Self::of(kind, payload)
    }
}

impl<R> Job<R> {
    pub(super) fn of(
        kind: impl Into<Cow<'static, str>>,
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
            strict: false,
            due: None,
            priority: Priority::default(),
            limit_key: None,
            unique: None,
            expires: None,
            deadline: None,
            headers: HeaderMap::new(),
            payload_ref: None,
            payload_zlib: None,
            compression: None,
            returns: PhantomData,
        })
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

    /// Lets only the newest run of the job settle it: each run claims the job before its handler starts, and an attempt whose
    /// claim is not the newest any more is refused, even if it is done first. Costs one message more for each run, and the outcome
    /// is always recorded. The claim is a number that only grows ([`crate::JobContext::fence`]), for systems that refuse
    /// writes of the past.
    ///
    /// Without, the first attempt that is done settles the job, and a later one is refused.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Whether its payload is compressed; default: that of the kind, else `payloads.compression`. One that does not get shorter
    /// is not. A result is compressed if the payload was, or if the worker's `payloads.compression` says so.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Which jobs of the queue go first.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Counts the job together with others of this key (a tenant, an account, a host) for the limits of the queue that are
    /// per key; without such limits it means nothing.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] unless it is 1 to 256 bytes without control characters.
    pub fn limit_key(mut self, key: impl Into<String>) -> Result<Self, JobsError> {
        let key = key.into();
        if !(1..=256).contains(&key.len()) || key.chars().any(char::is_control) || key.trim() != key
        {
            let text = "name a limit key: it has 1 to 256 bytes, without control characters and outer spaces";
            return Err(JobsError::new(JobsErrorKind::InvalidName, text));
        }
        self.limit_key = Some(key);
        Ok(self)
    }

    /// Makes it the only job of its key; see [`Unique`]. Without, every enqueue is a job.
    #[must_use]
    pub fn unique(mut self, unique: Unique) -> Self {
        self.unique = Some(unique);
        self
    }

    /// Adds a header that travels with the job: the handler sees it ([`crate::JobContext::headers`]), retries and the dead
    /// letter keep it. Names are printable ASCII without `:`, values one line of text; together with the payload they must
    /// fit into the server's `max_payload`.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] for other names and values, and for names that start with `Nats-` or `Naq-`, which
    /// belong to the server and to this project. A retry does not help.
    pub fn header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, JobsError> {
        let (name, value) = (name.into(), value.into());
        check_header(&name, &value)
            .map_err(|text| JobsError::new(JobsErrorKind::InvalidName, text))?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// Passes a trace on: the header `traceparent` of W3C Trace Context, `00-<trace>-<span>-<flags>`. Needed only where
    /// there is no current span, or where it is not the one that the job belongs to. A [`Job::header`] `tracestate` may
    /// go with it.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] if the text has another form. A retry does not help.
    pub fn trace_parent(self, text: impl Into<String>) -> Result<Self, JobsError> {
        let text = text.into();
        if TraceContext::new(&text, None).is_none() {
            let context =
                format!("pass on the trace {text:?}: it is no `00-<trace>-<span>-<flags>`");
            return Err(JobsError::new(JobsErrorKind::InvalidName, context));
        }
        self.header("traceparent", text)
    }
}

/// A payload as JSON.
pub(super) fn written(payload: &(impl Serialize + ?Sized)) -> Result<Box<RawValue>, JobsError> {
    serde_json::value::to_raw_value(payload).map_err(|e| {
        JobsError::new(JobsErrorKind::InvalidPayload, "write the payload as JSON").because(e)
    })
}

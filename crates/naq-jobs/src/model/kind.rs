//! The kind of a job: which handler runs it, and with which types.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use naq_config::settings::Compression;

use super::job::written;
use super::{Job, RetryPolicy};

/// A typed job kind: what is sent (`A`) and what comes back (`R`).
///
/// Declared once as a constant and used on both sides, so that the sender and the handler cannot disagree:
///
/// ```
/// use naq_jobs::Kind;
///
/// const GREET: Kind<String, String> = Kind::new("greet").queue("mail").retries(3);
/// let job = GREET.job(&"Ada".to_owned()).unwrap();
/// assert_eq!(job.kind().as_str(), "greet");
/// ```
pub struct Kind<A, R> {
    pub(crate) name: &'static str,
    pub(crate) queue: Option<&'static str>,
    pub(crate) retries: u32,
    keeps_result: bool,
    strict: bool,
    timeout: Option<Duration>,
    compression: Option<Compression>,
    pub(crate) version: u32,
    types: PhantomData<fn(A) -> R>,
}

/// The name of a job kind: 1 to 128 of `A-Z a-z 0-9 _ . : -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KindName(Cow<'static, str>);

/// The text is no [`KindName`]. A retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidKind(#[from] naq_config::names::NameError);

impl<A, R> Kind<A, R> {
    /// A kind called `name`, on the default queue, without retries.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            queue: None,
            retries: 0,
            keeps_result: true,
            strict: false,
            timeout: None,
            compression: None,
            version: 1,
            types: PhantomData,
        }
    }

    /// The queue that its jobs go to, unless a job says otherwise.
    #[must_use]
    pub const fn queue(mut self, queue: &'static str) -> Self {
        self.queue = Some(queue);
        self
    }

    /// How often its jobs are run again after an error, unless a job says otherwise. The wait before a retry is one
    /// second, unless the job sets a [`RetryPolicy`].
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Records nothing when a job of this kind completes; see [`Job::discard_result`].
    #[must_use]
    pub const fn discard_result(mut self) -> Self {
        self.keeps_result = false;
        self
    }

    /// Lets only the newest run of a job of this kind settle it; see [`Job::strict`].
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Time limit of one attempt, unless a job says otherwise; default `workers.max_job_duration`.
    #[must_use]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Whether payloads of its jobs are compressed, unless a job says otherwise; see [`Job::compression`].
    #[must_use]
    pub const fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// The version of the payload, 1 if never said. Raise it when `A` changes so that old payloads do not fit.
    ///
    /// A worker takes older payloads with [`crate::Worker::upcast`]. One that knows only older versions puts a newer job back for
    /// others: old and new workers can run side by side.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The name, as it is on the wire.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A job of this kind with these arguments.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::InvalidPayload`] if `args` has no JSON form, [`crate::JobsErrorKind::InvalidName`] if
    /// the kind or its queue has an impossible name. A retry does not help.
    pub fn job(&self, args: &A) -> Result<Job<R>, crate::JobsError>
    where
        A: serde::Serialize,
    {
        let mut job = Job::of(self.name, written(args)?)?
            .retry(RetryPolicy::fixed(self.retries, Duration::from_secs(1)));
        job.keeps_result = self.keeps_result;
        job.strict = self.strict;
        job.timeout = self.timeout;
        job.compression = self.compression;
        job.payload_version = self.version;
        if let Some(queue) = self.queue {
            job = job.queue(queue)?;
        }
        Ok(job)
    }
}

impl<A, R> Clone for Kind<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for Kind<A, R> {}

impl<A, R> fmt::Debug for Kind<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind")
            .field("name", &self.name)
            .field("queue", &self.queue)
            .finish()
    }
}

impl KindName {
    /// Checks and wraps `text`.
    ///
    /// # Errors
    /// [`InvalidKind`], with what is allowed.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Result<Self, InvalidKind> {
        let text = text.into();
        naq_config::names::check_job_kind(&text)?;
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KindName {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.to_owned())
    }
}

//! A job made ready for the server: checked, and written as its messages.

use std::time::SystemTime;

use async_nats::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use naq_connection::Connection;

use super::unique::UniquePlan;
use crate::control::use_level;
use crate::model::{Due, Job, JobId, KindName, ObjectRef, Policy, Priority, QueueName};
use crate::server::{Link, Write, rfc3339};
use crate::wire::headers::{LIMIT_KEY, PRIORITY};
use crate::wire::{MAX_HEADER_TEXT, encode};
use crate::{JobsError, JobsErrorKind};

/// Bytes that a job must leave free below `max_payload`, so that its dead letter fits with its reason.
const RESERVE: usize = 3 * MAX_HEADER_TEXT;

/// A job as it goes to the server.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) id: JobId,
    pub(super) queue: QueueName,
    pub(super) subject: String,
    pub(super) body: Bytes,
    /// When it is due, and where it goes then.
    due: Option<Later>,
    /// Whether its priority has to be seen to.
    level: Option<Priority>,
    pub(super) unique: Option<Box<UniquePlan>>,
    headers: HeaderMap,
    /// What was put into the object store for it.
    pub(super) payload_ref: Option<ObjectRef>,
    pub(super) kind: KindName,
    /// When it was made, which is before anybody can have started it.
    pub(super) made_at: SystemTime,
}

#[derive(Debug)]
struct Later {
    at: SystemTime,
    text: String,
    target: String,
}

impl Prepared {
    /// Sees to it that its priority is consumed: a job of a high or low one would else wait for ever.
    pub(super) async fn use_level(&self, link: &Link) -> Result<(), JobsError> {
        match self.level {
            Some(level) => Box::pin(use_level(link, &self.queue, level)).await,
            None => Ok(()),
        }
    }

    /// Made anew for each sending, which is cheaper than a copy.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = self.own_headers();
        headers.insert("Nats-Msg-Id", self.id.as_str());
        if let Some(due) = &self.due {
            headers.insert("Nats-Schedule", format!("@at {}", due.text));
            headers.insert("Nats-Schedule-Target", due.target.as_str());
        }
        headers
    }

    /// The messages of the job: its own, and the marker of a window. A unique job is stored only if `expected` is the
    /// newest of its key.
    pub(super) fn writes(&self, link: &Link, expected: u64) -> Vec<Write> {
        let mut headers = self.headers();
        let mut marker = None;
        if let Some(plan) = &self.unique {
            plan.guard(link, expected, &mut headers);
            marker = plan.marker(link);
        }
        let own = Write {
            subject: self.subject.clone(),
            headers,
            body: self.body.clone(),
        };
        std::iter::once(own).chain(marker).collect()
    }

    /// Where it waits when it is due.
    pub(super) fn target(&self) -> &str {
        match &self.due {
            Some(due) => &due.target,
            None => &self.subject,
        }
    }

    /// The sender's own.
    pub(super) fn own_headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Bytes of the sender's headers, as they are on the wire.
    fn headers_size(&self) -> usize {
        let of = |(name, values): (&HeaderName, &Vec<HeaderValue>)| {
            let name: &str = name.as_ref();
            let each = |value: &HeaderValue| name.len() + value.as_str().len() + 4;
            values.iter().map(each).sum::<usize>()
        };
        self.headers.iter().map(of).sum()
    }

    /// When it is due, if it is later.
    pub(super) fn due_at(&self) -> Option<SystemTime> {
        self.due.as_ref().map(|due| due.at)
    }
}

/// Checks a job and writes its message.
pub(super) fn prepare<R>(link: &Link, mut job: Job<R>) -> Result<Prepared, JobsError> {
    let now = SystemTime::now();
    let id = job.id.take().unwrap_or_else(JobId::generate);
    let queue = queue_of(link, job.queue.take())?;
    if let Some(Policy::Debounce(wait)) = job.unique.as_ref().map(|unique| unique.policy) {
        job.due = Some(Due::In(wait));
    }
    let body = encode(&job, now)
        .map_err(|e| JobsError::new(JobsErrorKind::InvalidPayload, "write a job").because(e))?;
    let unique = match job.unique.take() {
        None => None,
        Some(unique) => Some(Box::new(UniquePlan::new(
            (queue.clone(), job.priority),
            id.clone(),
            unique,
        )?)),
    };
    let due = job.due.map(|due| due.instant(now)).filter(|due| *due > now);
    let place = |is_due| match &unique {
        Some(plan) => plan.own_subject(link, is_due),
        None if is_due => link.names().job_at(&queue, &id, job.priority),
        None => link.names().schedule(&queue, &id),
    };
    let target = place(true);
    let (subject, due) = match due {
        None => (target, None),
        Some(at) => {
            let text = rfc3339(at).ok_or_else(|| {
                JobsError::new(
                    JobsErrorKind::Configuration,
                    "schedule a job after the year 9999",
                )
            })?;
            (place(false), Some(Later { at, text, target }))
        }
    };
    let headers = take_headers(&mut job);
    let level = (job.priority != Priority::Normal).then_some(job.priority);
    Ok(Prepared {
        id,
        queue,
        subject,
        body: body.into(),
        due,
        level,
        unique,
        headers,
        payload_ref: job.payload_ref,
        kind: job.kind,
        made_at: now,
    })
}

/// The headers of the job, whatever message it travels in: the sender's own, and what they say of its options.
pub(crate) fn take_headers<R>(job: &mut Job<R>) -> HeaderMap {
    let mut headers = std::mem::take(&mut job.headers);
    if let Some(key) = job.limit_key.take() {
        headers.insert(LIMIT_KEY, key);
    }
    if job.priority != Priority::Normal {
        headers.insert(PRIORITY, job.priority.as_str());
    }
    headers
}

/// The queue that was named, else the default one.
pub(crate) fn queue_of(link: &Link, named: Option<QueueName>) -> Result<QueueName, JobsError> {
    match named {
        Some(queue) => Ok(queue),
        None => QueueName::new(link.settings().queues.default.clone()).map_err(|e| {
            JobsError::new(JobsErrorKind::InvalidName, "use `queues.default`").because(e)
        }),
    }
}

/// Refuses a job whose dead letter would not fit.
pub(super) fn check_size(conn: &Connection, job: &Prepared) -> Result<(), JobsError> {
    let limit = conn.max_payload().saturating_sub(RESERVE);
    let size = job.body.len() + job.headers_size();
    if size > limit {
        return Err(JobsError::new(
            JobsErrorKind::TooLarge,
            format!(
                "enqueue a job of {} bytes: the server takes {} (max_payload), of which {RESERVE} are \
                 kept for the headers of a dead letter. Payloads up to `payloads.max_size` go to the \
                 object store; raise that, or max_payload, or send an address of the data",
                size,
                conn.max_payload()
            ),
        ));
    }
    Ok(())
}

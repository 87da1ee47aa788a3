//! Enqueues one job: checked, written, confirmed; tried again with the same message id when the answer was lost.

use std::time::SystemTime;

use async_nats::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use naq_connection::Connection;
use tokio::time::Instant;

use super::unique::{self, UniquePlan};
use crate::control::use_level;
use crate::model::{Due, Job, JobId, KindName, Landing, ObjectRef, Policy, Priority, QueueName};
use crate::payload::{is_plain, offload_payload, remove};
use crate::server::{Link, Write, persist, rfc3339};
use crate::traces::Sending;
use crate::wire::headers::{LIMIT_KEY, PRIORITY};
use crate::wire::{MAX_HEADER_TEXT, encode};
use crate::{JobsError, JobsErrorKind, failpoint};

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

/// What became of a job, and which it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Landed {
    pub(crate) id: JobId,
    pub(crate) landing: Landing,
}

impl Landed {
    pub(crate) fn new(id: JobId) -> Self {
        Self {
            id,
            landing: Landing::New,
        }
    }
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

/// Enqueues `job` and says what became of it.
pub(crate) async fn enqueue<R>(link: &Link, mut job: Job<R>) -> Result<Landed, JobsError> {
    let queue = job.queue.as_ref().map(QueueName::as_str);
    let queue = queue.unwrap_or(&link.settings().queues.default);
    let sending = Sending::one(&mut job.headers, queue, job.kind.as_str());
    let sent = send(link, job).await;
    match &sent {
        Ok(landed) => sending.landed(landed.id.as_str(), landed.landing),
        Err(error) => sending.failed(error),
    }
    sent
}

async fn send<R>(link: &Link, job: Job<R>) -> Result<Landed, JobsError> {
    let job = if is_plain(link, &job.payload, job.compression) {
        prepare(link, job)?
    } else {
        Box::pin(prepare_large(link, job)).await?
    };
    deliver(link, job).await
}

/// As [`prepare`], with the payload compressed if it is to be, and in the object store if it is too large for a message.
pub(super) async fn prepare_large<R>(link: &Link, mut job: Job<R>) -> Result<Prepared, JobsError> {
    offload_payload(link, &mut job).await?;
    failpoint::reach("payload-stored");
    let payload_ref = job.payload_ref.clone();
    let prepared = prepare(link, job);
    if let (Err(_), Some(reference)) = (&prepared, &payload_ref) {
        withdraw(link, reference).await;
    }
    prepared
}

/// Removes the payload of a job that was surely not enqueued. Should that fail, it is left behind.
pub(super) async fn withdraw(link: &Link, reference: &ObjectRef) {
    let removed = async {
        let conn = link.lease("remove a large payload").await?;
        remove(link, &conn, reference).await
    };
    if let Err(error) = removed.await {
        tracing::warn!(object = reference.object, %error, "a payload without a job is left behind");
    }
}

/// Sends a prepared job until it is confirmed, at most for three request timeouts.
pub(super) async fn deliver(link: &Link, job: Prepared) -> Result<Landed, JobsError> {
    job.use_level(link).await?;
    let job = &job;
    if let Some(reference) = &job.payload_ref {
        let landed = Box::pin(deliver_one(link, job)).await;
        let is_refused = match &landed {
            Ok(landed) => landed.landing == Landing::Existing,
            Err(error) => error.kind() == JobsErrorKind::TooLarge,
        };
        if is_refused {
            Box::pin(withdraw(link, reference)).await;
        }
        return landed;
    }
    deliver_one(link, job).await
}

async fn deliver_one(link: &Link, job: &Prepared) -> Result<Landed, JobsError> {
    if let Some(plan) = &job.unique {
        let landed = Box::pin(unique::store(link, job, plan)).await?;
        job.tell_landed(link, &landed);
        return Ok(landed);
    }
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let publish = move |conn| async move { publish(&conn, job).await };
    persist(link, "enqueue a job", deadline, publish).await?;
    job.tell(link);
    failpoint::reach("job-enqueued");
    Ok(Landed::new(job.id.clone()))
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

async fn publish(conn: &Connection, job: &Prepared) -> Result<(), JobsError> {
    check_size(conn, job)?;
    match conn
        .publish_acked(job.subject.clone(), job.headers(), job.body.clone())
        .await
    {
        Ok(ack) => {
            tracing::debug!(id = %job.id, sequence = ack.sequence, "job enqueued");
            Ok(())
        }
        Err(error) => Err(JobsError::connection("enqueue a job", error)),
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

//! Enqueues one job: sent, confirmed; tried again with the same message id when the answer was lost.

use naq_connection::Connection;
use tokio::time::Instant;

use super::prepared::{Prepared, check_size, prepare};
use super::unique;
use crate::model::{Job, JobId, Landing, ObjectRef, QueueName};
use crate::payload::{is_plain, offload_payload, remove};
use crate::server::{Link, persist};
use crate::traces::Sending;
use crate::{JobsError, JobsErrorKind, failpoint};

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

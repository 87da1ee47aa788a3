//! Moves what is too large out of a message, and gives it back when nobody needs it any more.

use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::object::{put, remove};
use crate::JobsError;
use crate::model::{Job, JobId, ObjectRef};
use crate::server::{Link, persist};
use crate::wire::decode;

/// Below this size nothing is asked: it fits.
const ALWAYS_FITS: usize = 32 * 1024;

/// Bytes of a message that are left for everything but the payload.
const RESERVE: usize = 8 * 1024;

/// Life of a large result beyond that of its outcome.
const SLACK: Duration = Duration::from_secs(3600);

/// Whether a payload or result may be too large for a message; if not, there is nothing to be asked.
pub(crate) fn is_large(text: &RawValue) -> bool {
    text.get().len() > ALWAYS_FITS
}

/// Puts the payload of a job into the object store if it is too large for a message.
pub(crate) async fn offload_payload<R>(link: &Link, job: &mut Job<R>) -> Result<(), JobsError> {
    let size = job.payload.get().len();
    if job.payload_ref.is_some() || !goes_out(link, size).await? {
        return Ok(());
    }
    let id = job.id.get_or_insert_with(JobId::generate).clone();
    let payload = std::mem::replace(&mut job.payload, RawValue::NULL.to_owned());
    job.payload_ref = Some(store(link, &id, payload, None).await?);
    Ok(())
}

/// Puts a result into the object store if it is too large for a message; it lasts a little longer than its outcome.
pub(crate) async fn offload_result(
    link: &Link,
    id: &JobId,
    result: Box<RawValue>,
    ttl: Duration,
) -> Result<Result<ObjectRef, Box<RawValue>>, JobsError> {
    let size = result.get().len();
    if !goes_out(link, size).await? {
        return Ok(Err(result));
    }
    let life = ttl.saturating_add(SLACK);
    store(link, id, result, Some(life)).await.map(Ok)
}

/// Whether so many bytes go to the object store.
async fn goes_out(link: &Link, size: usize) -> Result<bool, JobsError> {
    let settings = &link.settings().payloads;
    let bytes = u64::try_from(size).unwrap_or(u64::MAX);
    if bytes > settings.max_size {
        return Ok(false);
    }
    let conn = link.lease("look at the size of a payload").await?;
    Ok(bytes > settings.inline_max || size + RESERVE > conn.max_payload())
}

async fn store(
    link: &Link,
    id: &JobId,
    text: Box<RawValue>,
    life: Option<Duration>,
) -> Result<ObjectRef, JobsError> {
    let bytes = &Bytes::from(String::from(Box::<str>::from(text)));
    let name = format!("{id}-{}", ulid::Ulid::generate());
    let reference = &ObjectRef::to(name, bytes);
    let deadline = Instant::now() + link.settings().nats.request_timeout * 6;
    persist(
        link,
        "store a large payload",
        deadline,
        move |conn| async move { put(link, &conn, reference, bytes, life).await },
    )
    .await?;
    Ok(reference.clone())
}

/// Where the payload of the job with this body is, if it is not in the body.
pub(crate) fn payload_of(body: &[u8]) -> Option<ObjectRef> {
    decode(body).ok().and_then(|envelope| envelope.payload_ref)
}

/// Removes the payload of a job that has gone, if it has one in the object store. `body` is that of its message.
pub(crate) async fn release(link: &Link, body: &[u8]) -> Result<(), JobsError> {
    let Some(reference) = &payload_of(body) else {
        return Ok(());
    };
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    persist(
        link,
        "remove a large payload",
        deadline,
        move |conn| async move { remove(link, &conn, reference).await },
    )
    .await
}

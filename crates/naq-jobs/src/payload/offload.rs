//! Compresses what is to be compressed, moves what is too large out of a message, and gives it back when nobody needs it any
//! more.

use std::time::Duration;

use bytes::Bytes;
use naq_config::settings::Compression;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::object::{put, remove};
use super::zlib::{base64_len, pack, to_base64};
use crate::JobsError;
use crate::model::{Encoding, Job, JobId, ObjectRef};
use crate::server::{Link, persist};
use crate::wire::decode;

/// Below this size nothing is asked: it fits.
const ALWAYS_FITS: usize = 32 * 1024;

/// Bytes of a message that are left for everything but the payload.
const RESERVE: usize = 8 * 1024;

/// Life of a large result beyond that of its outcome.
const SLACK: Duration = Duration::from_secs(3600);

/// How a payload or a result is kept.
#[derive(Debug)]
pub(crate) enum Kept {
    /// As it is.
    Here(Box<RawValue>),
    /// As base64 of a zlib stream.
    Packed(String),
    /// In the object store.
    Apart(ObjectRef),
}

/// Whether the text goes into a message as it is: it surely fits, and is not to be compressed. Then there is nothing to be
/// asked. `compression` is what the job says.
pub(crate) fn is_plain(link: &Link, text: &RawValue, compression: Option<Compression>) -> bool {
    text.get().len() <= ALWAYS_FITS && !is_packed(link, text, compression)
}

/// Whether the text is to be compressed. One that is larger than what a reader unpacks is not.
fn is_packed(link: &Link, text: &RawValue, compression: Option<Compression>) -> bool {
    let settings = &link.settings().payloads;
    let size = u64::try_from(text.get().len()).unwrap_or(u64::MAX);
    compression.unwrap_or(settings.compression) == Compression::Zlib
        && (settings.compress_min..=settings.max_size).contains(&size)
}

/// Compresses the payload of a job if that is asked for, and puts it into the object store if it is too large for a message.
pub(crate) async fn offload_payload<R>(link: &Link, job: &mut Job<R>) -> Result<(), JobsError> {
    if is_plain(link, &job.payload, job.compression) {
        return Ok(());
    }
    let id = job.id.get_or_insert_with(JobId::generate).clone();
    let payload = std::mem::replace(&mut job.payload, RawValue::NULL.to_owned());
    match keep(link, &id, payload, job.compression, None).await? {
        Kept::Here(payload) => job.payload = payload,
        Kept::Packed(text) => job.payload_zlib = Some(text),
        Kept::Apart(reference) => job.payload_ref = Some(reference),
    }
    Ok(())
}

/// How a result is kept; in the object store it lasts a little longer than its outcome.
pub(crate) async fn offload_result(
    link: &Link,
    id: &JobId,
    result: Box<RawValue>,
    compression: Option<Compression>,
    ttl: Duration,
) -> Result<Kept, JobsError> {
    let life = ttl.saturating_add(SLACK);
    keep(link, id, result, compression, Some(life)).await
}

async fn keep(
    link: &Link,
    id: &JobId,
    text: Box<RawValue>,
    compression: Option<Compression>,
    life: Option<Duration>,
) -> Result<Kept, JobsError> {
    let packed = match is_packed(link, &text, compression) {
        true => pack(&text).await,
        false => None,
    };
    let size = packed.as_ref().map(|packed| base64_len(packed.len()));
    let goes_out = goes_out(link, size.unwrap_or(text.get().len())).await?;
    match (goes_out, packed) {
        (false, None) => Ok(Kept::Here(text)),
        (false, Some(packed)) => Ok(Kept::Packed(to_base64(&packed))),
        (true, None) => {
            let bytes = String::from(Box::<str>::from(text)).into();
            store(link, id, &bytes, None, life).await.map(Kept::Apart)
        }
        (true, Some(packed)) => {
            let bytes = packed.into();
            let encoding = Some(Encoding::Zlib);
            store(link, id, &bytes, encoding, life)
                .await
                .map(Kept::Apart)
        }
    }
}

/// Whether so many bytes go to the object store.
async fn goes_out(link: &Link, size: usize) -> Result<bool, JobsError> {
    let settings = &link.settings().payloads;
    let bytes = u64::try_from(size).unwrap_or(u64::MAX);
    if bytes > settings.max_size || size <= ALWAYS_FITS {
        return Ok(false);
    }
    let conn = link.lease("look at the size of a payload").await?;
    Ok(bytes > settings.inline_max || size + RESERVE > conn.max_payload())
}

async fn store(
    link: &Link,
    id: &JobId,
    bytes: &Bytes,
    encoding: Option<Encoding>,
    life: Option<Duration>,
) -> Result<ObjectRef, JobsError> {
    let name = format!("{id}-{}", ulid::Ulid::generate());
    let reference = &ObjectRef::to(name, bytes, encoding);
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

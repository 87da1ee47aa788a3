//! Brings back what was compressed or kept in the object store, whole or not at all.

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::object::get;
use super::zlib::{unpack, unpack_base64};
use crate::model::{Encoding, ObjectRef};
use crate::server::{Link, persist};
use crate::wire::{Envelope, Outcome, decode};
use crate::{JobsError, JobsErrorKind};

/// Why there is nothing to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfetched {
    /// It is not there, or is not what it was.
    #[error("{0}")]
    Gone(String),
    /// It is there, but is no JSON, or becomes too large.
    #[error("{0}")]
    Unreadable(String),
    /// The server did not answer; a later try may succeed.
    #[error(transparent)]
    Failed(#[from] JobsError),
}

/// The payload of a job, wherever it is.
pub(crate) async fn payload(
    link: &Link,
    envelope: &Envelope<'_>,
) -> Result<Box<RawValue>, Unfetched> {
    match (&envelope.payload_ref, &envelope.payload_zlib) {
        (Some(reference), _) => fetch(link, reference).await,
        (None, Some(packed)) => unpacked(link, packed, "payload_zlib").await,
        (None, None) => Ok(envelope.payload.to_owned()),
    }
}

/// The payload of the job with this body.
pub(crate) async fn payload_in(
    link: &Link,
    body: &[u8],
    context: String,
) -> Result<Box<RawValue>, JobsError> {
    let envelope = match decode(body) {
        Ok(envelope) => envelope,
        Err(error) => {
            return Err(JobsError::new(JobsErrorKind::InvalidPayload, context).because(error));
        }
    };
    payload(link, &envelope).await.map_err(|error| match error {
        Unfetched::Failed(error) => error,
        Unfetched::Gone(_) => JobsError::new(JobsErrorKind::NotFound, context).because(error),
        Unfetched::Unreadable(_) => {
            JobsError::new(JobsErrorKind::InvalidPayload, context).because(error)
        }
    })
}

async fn unpacked(link: &Link, packed: &str, field: &str) -> Result<Box<RawValue>, Unfetched> {
    let limit = link.settings().payloads.max_size;
    let unpacked = unpack_base64(packed, limit).await;
    unpacked.map_err(|error| Unfetched::Unreadable(format!("read `{field}`: {error}")))
}

/// The JSON text that `reference` stands for.
async fn fetch(link: &Link, reference: &ObjectRef) -> Result<Box<RawValue>, Unfetched> {
    let deadline = Instant::now() + link.settings().nats.request_timeout * 6;
    let name = &reference.object;
    let gone = |why: &str| {
        let bucket = link.names().payloads_bucket();
        Unfetched::Gone(format!("the object {name} of the bucket {bucket} {why}"))
    };
    let limit = link.settings().payloads.max_size;
    if reference.size > limit {
        return Err(gone("is larger than `payloads.max_size` of this worker"));
    }
    let bytes = persist(
        link,
        "read a large payload",
        deadline,
        move |conn| async move { get(link, &conn, reference).await },
    )
    .await?;
    let bytes =
        bytes.ok_or_else(|| gone("is missing, or is not what was stored (size, SHA-256)"))?;
    let unreadable = |why: &dyn std::fmt::Display| {
        Unfetched::Unreadable(format!("read the object {name}: {why}"))
    };
    match reference.encoding {
        None => serde_json::from_slice(&bytes).map_err(|error| unreadable(&error)),
        Some(Encoding::Zlib) => unpack(&bytes, limit)
            .await
            .map_err(|error| unreadable(&error)),
    }
}

/// The outcome with its result, if that is kept apart or packed.
pub(crate) async fn fetch_result(link: &Link, mut outcome: Outcome) -> Result<Outcome, JobsError> {
    let found = match (&outcome.result_ref, outcome.result_zlib.take()) {
        (Some(reference), _) => fetch(link, reference).await,
        (None, Some(packed)) => unpacked(link, &packed, "result_zlib").await,
        (None, None) => return Ok(outcome),
    };
    match found {
        Ok(result) => outcome.result = Some(result),
        Err(Unfetched::Failed(error)) => return Err(error),
        Err(unfetched) => {
            let kind = match unfetched {
                Unfetched::Gone(_) => JobsErrorKind::NotFound,
                _ => JobsErrorKind::Corrupt,
            };
            let context = format!("read the result of job {}", outcome.id);
            return Err(JobsError::new(kind, context).because(unfetched));
        }
    }
    Ok(outcome)
}

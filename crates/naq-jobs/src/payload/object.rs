//! Objects in the bucket: chunks under one subject, and the entry that lets any client of the object store read them.

use async_nats::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use naq_connection::Connection;
use std::time::{Duration, SystemTime};

use crate::JobsError;
use crate::failpoint;
use crate::model::ObjectRef;
use crate::server::{
    Link, ensure_payloads, exists, last_at_leader, next_at_leader, page, purge, rfc3339,
};
use crate::wire::text;

/// Bytes in one message, as other clients of the object store do it.
const CHUNK: usize = 128 * 1024;

/// Chunks that are asked for at a time.
const PAGE: usize = 64;

/// Stores an object, for ever or for `life`.
pub(super) async fn put(
    link: &Link,
    conn: &Connection,
    reference: &ObjectRef,
    bytes: &Bytes,
    life: Option<Duration>,
) -> Result<(), JobsError> {
    ensure_payloads(link, conn).await?;
    let names = link.names();
    let size = CHUNK.min(conn.max_payload() / 2).max(1);
    let subject = names.payload_chunks(&reference.object);
    let mut chunks = 0;
    let mut from = 0;
    while from < bytes.len() {
        let to = bytes.len().min(from + size);
        // A chunk of an earlier try may still be on its way, and come at any time: it is known by its id.
        let mut headers = lasting(life);
        headers.insert("Nats-Msg-Id", format!("{}:{chunks}", reference.object));
        send(conn, subject.clone(), headers, bytes.slice(from..to)).await?;
        (chunks, from) = (chunks + 1, to);
    }
    failpoint::reach("payload-chunks-stored");
    let mut headers = lasting(life);
    headers.insert("Nats-Rollup", "sub");
    let entry = serde_json::json!({
        "name": reference.object,
        "bucket": names.payloads_bucket(),
        "nuid": reference.object,
        "size": reference.size,
        "chunks": chunks,
        "digest": reference.digest,
        "mtime": rfc3339(SystemTime::now()),
        "options": { "max_chunk_size": size },
    });
    let subject = names.payload_entry(&URL_SAFE.encode(&reference.object));
    send(conn, subject, headers, entry.to_string().into()).await
}

async fn send(
    conn: &Connection,
    subject: String,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(), JobsError> {
    let sent = conn.publish_acked(subject, headers, body).await;
    sent.map(drop)
        .map_err(|e| JobsError::connection("store a large payload", e))
}

fn lasting(life: Option<Duration>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(life) = life {
        headers.insert("Nats-TTL", format!("{}s", life.as_secs().max(1)));
    }
    headers
}

/// Reads an object; `None` if it is not there or is another one.
pub(super) async fn get(
    link: &Link,
    conn: &Connection,
    reference: &ObjectRef,
) -> Result<Option<Vec<u8>>, JobsError> {
    let stream = link.names().payloads_stream();
    if !exists(conn, &stream).await? {
        return Ok(None);
    }
    let bytes = direct(link, conn, reference).await?;
    if reference.fits(&bytes) {
        return Ok(Some(bytes));
    }
    // Another server of a cluster may not have got all of it yet; the leader has.
    let bytes = at_leader(link, conn, reference).await?;
    Ok(reference.fits(&bytes).then_some(bytes))
}

/// The chunks as the nearest server has them.
async fn direct(
    link: &Link,
    conn: &Connection,
    reference: &ObjectRef,
) -> Result<Vec<u8>, JobsError> {
    let (stream, filter) = place(link, reference);
    let (mut bytes, mut from) = (Vec::new(), Some(0));
    while let Some(next) = from {
        let found = page(conn, &stream, &filter, next, PAGE).await?;
        for chunk in &found.messages {
            bytes.extend_from_slice(&chunk.payload);
        }
        from = found.next.filter(|_| is_short(reference, &bytes));
    }
    Ok(bytes)
}

/// The chunks as the leader of the stream has them, one by one.
async fn at_leader(
    link: &Link,
    conn: &Connection,
    reference: &ObjectRef,
) -> Result<Vec<u8>, JobsError> {
    let (stream, filter) = place(link, reference);
    let (mut bytes, mut from) = (Vec::new(), 0);
    while is_short(reference, &bytes)
        && let Some(chunk) = next_at_leader(conn, &stream, &filter, from).await?
    {
        bytes.extend_from_slice(&chunk.payload);
        from = chunk.sequence + 1;
    }
    Ok(bytes)
}

/// The stream and the subject of the chunks.
fn place(link: &Link, reference: &ObjectRef) -> (String, String) {
    let names = link.names();
    (
        names.payloads_stream(),
        names.payload_chunks(&reference.object),
    )
}

fn is_short(reference: &ObjectRef, bytes: &[u8]) -> bool {
    u64::try_from(bytes.len()).is_ok_and(|size| size < reference.size)
}

/// What the entry of an object says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// It goes by itself.
    pub(crate) expires: bool,
}

/// The entry of an object; `None` if it was never completed.
pub(crate) async fn entry_of(
    link: &Link,
    conn: &Connection,
    object: &str,
) -> Result<Option<Entry>, JobsError> {
    let names = link.names();
    let subject = names.payload_entry(&URL_SAFE.encode(object));
    let found = last_at_leader(conn, &names.payloads_stream(), &subject).await?;
    Ok(found.map(|found| Entry {
        expires: text(found.headers.as_ref(), "Nats-TTL").is_some(),
    }))
}

/// Removes an object; one that is not there is no error.
pub(crate) async fn remove(
    link: &Link,
    conn: &Connection,
    reference: &ObjectRef,
) -> Result<(), JobsError> {
    let names = link.names();
    let stream = names.payloads_stream();
    if !exists(conn, &stream).await? {
        return Ok(());
    }
    let entry = names.payload_entry(&URL_SAFE.encode(&reference.object));
    for subject in [entry, names.payload_chunks(&reference.object)] {
        purge(conn, &stream, &subject).await?;
    }
    Ok(())
}

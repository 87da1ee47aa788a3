//! Makes delayed jobs due earlier.
//!
//! A schedule is replaced on its own subject, and only if it is still the one that was read: one that has fired or was
//! changed meanwhile is left alone.

use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use naq_connection::Connection;

use super::list::due;
use crate::JobsError;
use crate::server::{BatchEnd, Link, Stored, Write, page, rfc3339, store_batch};

/// Schedules that are read at a time.
const PAGE: usize = 500;

pub(super) async fn bring_forward(link: &Link, by: Duration) -> Result<u64, JobsError> {
    let conn = link.lease("make jobs due earlier").await?;
    let (stream, filter) = (link.names().jobs_stream(), link.names().all_schedules());
    // What is moved is stored anew, behind the end of what there was at the start.
    let mut all = Vec::new();
    let mut from = Some(0);
    while let Some(start) = from {
        let found = page(&conn, &stream, &filter, start, PAGE).await?;
        all.extend(found.messages);
        from = found.next;
    }
    let mut moved = 0;
    for stored in &all {
        moved += u64::from(replace(&conn, stored, by).await?);
    }
    Ok(moved)
}

async fn replace(conn: &Connection, stored: &Stored, by: Duration) -> Result<bool, JobsError> {
    let Some(at) = due(stored)
        .map(|due| due.checked_sub(by).unwrap_or(SystemTime::UNIX_EPOCH))
        .and_then(rfc3339)
    else {
        return Ok(false);
    };
    let mut headers = HeaderMap::new();
    for (name, values) in stored.headers.iter().flat_map(HeaderMap::iter) {
        if belongs_to_the_copy(name.as_ref()) {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    headers.insert("Nats-Schedule", format!("@at {at}"));
    headers.insert(
        "Nats-Expected-Last-Subject-Sequence",
        stored.sequence.to_string(),
    );
    let write = Write {
        subject: stored.subject.clone(),
        headers,
        body: stored.payload.clone(),
    };
    let end = store_batch(conn, "make a job due earlier", vec![write]).await?;
    Ok(end == BatchEnd::Stored)
}

/// All but what the server adds to an answer, and what would make it take the copy for the original.
fn belongs_to_the_copy(name: &str) -> bool {
    name == "Nats-Schedule-Target" || !name.starts_with("Nats-")
}

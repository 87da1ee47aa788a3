//! Makes delayed jobs due earlier.
//!
//! A schedule is replaced on its own subject, and only if it is still the one that was read: one that has fired or was
//! changed meanwhile is left alone.

use std::time::{Duration, SystemTime};

use naq_connection::Connection;

use crate::JobsError;
use crate::server::{BatchEnd, Link, Stored, Write, expect_newest, page, rfc3339, store_batch};
use crate::wire::{later_patterns, moved, text};

/// Schedules that are read at a time.
const PAGE: usize = 500;

pub(super) async fn bring_forward(link: &Link, by: Duration) -> Result<u64, JobsError> {
    let conn = link.lease("make jobs due earlier").await?;
    let stream = link.names().jobs_stream();
    // What is moved is stored anew, behind the end of what there was at the start.
    let mut all = Vec::new();
    for pattern in later_patterns("*") {
        let (filter, mut from) = (link.names().filter(&pattern), Some(0));
        while let Some(start) = from {
            let found = page(&conn, &stream, &filter, start, PAGE).await?;
            all.extend(found.messages);
            from = found.next;
        }
    }
    let mut done = 0;
    for stored in &all {
        done += u64::from(replace(&conn, stored, by).await?);
    }
    Ok(done)
}

async fn replace(conn: &Connection, stored: &Stored, by: Duration) -> Result<bool, JobsError> {
    let Some(at) = stored
        .due()
        .map(|due| due.checked_sub(by).unwrap_or(SystemTime::UNIX_EPOCH))
        .and_then(rfc3339)
    else {
        return Ok(false);
    };
    let Some(target) = text(stored.headers.as_ref(), "Nats-Schedule-Target") else {
        return Ok(false);
    };
    let mut headers = moved(stored.headers.as_ref());
    headers.insert("Nats-Schedule-Target", target);
    headers.insert("Nats-Schedule", format!("@at {at}"));
    expect_newest(&mut headers, stored.sequence);
    let write = Write {
        subject: stored.subject.clone(),
        headers,
        body: stored.payload.clone(),
    };
    let end = store_batch(conn, "make a job due earlier", vec![write]).await?;
    Ok(end == BatchEnd::Stored)
}

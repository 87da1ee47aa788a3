//! Jobs that their consumer has passed by.
//!
//! A consumer goes through the stream once. If it gets a further filter (a new version of the program, see
//! `docs/design/0012-faults.md`), what was stored under that before lies behind it and would never be delivered. Such a job
//! is stored again on its own subject, then the old message is removed. So is one that a cluster's server
//! has taken for delivered in the change of a leader.

use naq_connection::Connection;

use super::{Link, Stored, delete_sequence, expect_newest, next_at_leader, wrong_sequence};
use crate::wire::{headers, moved};
use crate::{JobsError, failpoint};

/// Stores the jobs on `filter` up to sequence `bound` again; says how many.
pub(super) async fn restock(
    conn: &Connection,
    link: &Link,
    filter: &str,
    bound: u64,
) -> Result<u64, JobsError> {
    let stream = link.names().jobs_stream();
    let (mut count, mut from) = (0, 0);
    while from < bound {
        let found = next_at_leader(conn, &stream, filter, from + 1).await?;
        let Some(found) = found.filter(|found| found.sequence <= bound) else {
            break;
        };
        from = found.sequence;
        count += u64::from(store_again(conn, &stream, &found).await?);
    }
    if count > 0 {
        tracing::warn!(
            filter,
            count,
            "jobs that no worker would have got are stored again"
        );
    }
    Ok(count)
}

/// Whether it was still there, and nothing newer on its subject.
///
/// Should this end between the two steps, the next look finds the old message behind the newer one.
async fn store_again(conn: &Connection, stream: &str, found: &Stored) -> Result<bool, JobsError> {
    let mut fields = moved(found.headers.as_ref());
    expect_newest(&mut fields, found.sequence);
    // Whoever gets it looks for an outcome first.
    fields.insert(headers::PARKED, "1 restock");
    let sent = conn.publish_acked(found.subject.clone(), fields, found.payload.clone());
    let is_stored = match sent.await {
        Ok(_) => true,
        Err(error) => match wrong_sequence(&error) {
            Some(newest) if newest > found.sequence => false,
            Some(_) => return Ok(false),
            None => return Err(JobsError::connection("store a job again", error)),
        },
    };
    failpoint::reach("job-restocked");
    delete_sequence(conn, stream, found.sequence).await?;
    Ok(is_stored)
}

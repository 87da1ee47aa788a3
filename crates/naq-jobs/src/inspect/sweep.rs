//! Finds and removes objects in the bucket of large payloads that no job needs any more.
//!
//! ```text
//!   young, expires by itself (a result), or of a foreign name ──► left
//!   a job or a dead letter refers to it, looked at twice      ──► left
//!   else                                                      ──► removed
//! ```
//!
//! Payloads are stored before their jobs and removed after them, so what a crash leaves is an object too many, never one too few.
//! Schedules and workflows keep their payloads in their own records and refer to no object.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq_connection::Connection;
use ulid::Ulid;

use crate::JobsError;
use crate::model::{JobId, ObjectRef};
use crate::payload::{entry_of, payload_of, remove};
use crate::server::{Link, count, exists, last_at_leader, subjects_page};

/// What was found in the bucket of large payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sweep {
    /// Objects in the bucket.
    pub objects: u64,
    /// Those that no job and no dead letter refers to. They are removed, unless it was a dry run.
    pub orphans: u64,
    /// Chunks of them, of up to 128 KiB.
    pub chunks: u64,
    /// Those whose names say not of which job they are: of foreign clients, and left alone.
    pub foreign: u64,
}

pub(super) async fn sweep(
    link: &Link,
    older_than: Duration,
    is_dry_run: bool,
) -> Result<Sweep, JobsError> {
    let conn = link.lease("look for payloads without a job").await?;
    let (names, mut found) = (link.names(), Sweep::default());
    let stream = names.payloads_stream();
    if !exists(&conn, &stream).await? {
        return Ok(found);
    }
    let filter = names.payload_chunks("*");
    let start = filter.len() - 1;
    let mut offset = 0;
    loop {
        let (subjects, total) = subjects_page(&conn, &stream, &filter, offset).await?;
        let seen = subjects.len();
        let mut gone = 0;
        for subject in subjects {
            let object = subject.get(start..).unwrap_or_default();
            found.objects += 1;
            let Some((id, made)) = origin_of(object) else {
                found.foreign += 1;
                continue;
            };
            if !is_old(made, older_than) || !is_orphan(&conn, link, &id, object).await? {
                continue;
            }
            found.orphans += 1;
            found.chunks += count(&conn, &stream, &subject).await?;
            if !is_dry_run {
                let object = object.to_owned();
                remove(link, &conn, &ObjectRef::named(object)).await?;
                gone += 1;
            }
        }
        offset += seen - gone;
        if seen == 0 || offset >= total {
            return Ok(found);
        }
    }
}

/// The job that an object was made for, and when: its name is the id, `-`, and a ULID.
fn origin_of(object: &str) -> Option<(JobId, SystemTime)> {
    let (id, made) = object.rsplit_once('-')?;
    let made = Ulid::from_string(made).ok()?;
    let made = UNIX_EPOCH.checked_add(Duration::from_millis(made.timestamp_ms()))?;
    Some((JobId::new(id).ok()?, made))
}

fn is_old(made: SystemTime, older_than: Duration) -> bool {
    SystemTime::now()
        .duration_since(made)
        .is_ok_and(|age| age >= older_than)
}

/// Whether nothing refers to the object, looked at twice: a job may be on its way from the queue to the dead letters, or back.
async fn is_orphan(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    object: &str,
) -> Result<bool, JobsError> {
    let entry = entry_of(link, conn, object).await?;
    if entry.is_some_and(|entry| entry.expires) {
        return Ok(false);
    }
    for _ in 0..2 {
        if is_wanted(conn, link, id, object).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_wanted(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    object: &str,
) -> Result<bool, JobsError> {
    let names = link.names();
    let (jobs, dead) = (names.jobs_stream(), names.dead_stream());
    let places = names.anywhere(id).into_iter().map(|place| (&jobs, place));
    for (stream, place) in places.chain([(&dead, names.dead_of(id))]) {
        let found = last_at_leader(conn, stream, &place).await?;
        let reference = found.and_then(|found| payload_of(&found.payload));
        if reference.is_some_and(|reference| reference.object == object) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_says_whose_it_is_and_how_old() {
        let ulid = Ulid::from_parts(1_763_762_400_123, 7);
        let (id, made) = origin_of(&format!("invoice-17-{ulid}")).unwrap();
        assert_eq!(id.as_str(), "invoice-17");
        assert_eq!(made, UNIX_EPOCH + Duration::from_millis(1_763_762_400_123));
        assert!(is_old(made, Duration::from_secs(1)));
        assert!(!is_old(
            SystemTime::now() + Duration::from_secs(9),
            Duration::ZERO
        ));
        for foreign in ["", "x", "invoice-17", "-01K8Z0M6V9A7T3Q5X2C4B6N8P1"] {
            assert!(origin_of(foreign).is_none(), "{foreign}");
        }
    }
}

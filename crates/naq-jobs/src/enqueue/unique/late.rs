//! Whether the replacement of a job that was due later stands.
//!
//! The server looks at its clock and collects what is due, then stores the firings one after the other, and with each removes
//! what is at the subject of its schedule by then. A replacement that is stored between the two is taken along: the old job fires, and the
//! new one is gone, although the server has taken it.
//!
//! ```text
//!   REPLACED ── stored before the old one was due ───────────────────────► stands
//!      │ later
//!      ├── there, or replaced by another one: wait, at most `PASS` ──────► stands
//!      ├── it has fired itself ──────────────────────────────────────────► stands
//!      └── the old one has fired, or the key is free ────────────────────► was taken along: decide anew
//! ```
//!
//! Whether it was due is seen by the server's clock alone: it has stored the one and fires the other.

use std::time::Duration;

use naq_connection::Connection;
use tokio::time::{Instant, sleep};

use super::decide::Found;
use super::messages::UniquePlan;
use crate::JobsError;
use crate::server::{Link, Stored, last_at_leader, read_rfc3339};
use crate::wire::{Place, UniqueSubject};

/// The longest between the server's look at its clock and the storing of a firing: a few milliseconds, and more only if thousands are
/// due at the same moment.
const PASS: Duration = Duration::from_secs(2);

/// Wait between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// Whether the replacement of `found` that was stored as `sequence` was not taken along by a firing of `found`.
pub(super) async fn stands(
    link: &Link,
    conn: &Connection,
    plan: &UniquePlan,
    found: &Found,
    (sequence, body): (u64, &[u8]),
) -> Result<bool, JobsError> {
    let Some(due) = found.due else {
        return Ok(true);
    };
    let (stream, filter) = (link.names().jobs_stream(), plan.filter(link));
    let deadline = Instant::now() + PASS;
    loop {
        let Some(newest) = last_at_leader(conn, &stream, &filter).await? else {
            return Ok(false);
        };
        let is_own = newest.sequence == sequence;
        if is_own && read_rfc3339(&newest.time).is_some_and(|stored| stored < due) {
            return Ok(true);
        }
        if !is_own && !is_later(&newest) {
            return Ok(newest.payload == body);
        }
        if Instant::now() >= deadline {
            return Ok(true);
        }
        sleep(PAUSE).await;
    }
}

fn is_later(stored: &Stored) -> bool {
    UniqueSubject::read(&stored.subject).is_some_and(|subject| subject.place == Place::Later)
}

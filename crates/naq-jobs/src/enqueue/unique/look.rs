//! Looks at what a key is, at the stream's leader: what was refused was refused by it.

use naq_connection::Connection;

use super::decide::{Found, asks_for_start};
use super::messages::UniquePlan;
use crate::JobsError;
use crate::model::Policy;
use crate::payload::payload_of;
use crate::server::{Link, delivered_up_to, last_at_leader};
use crate::wire::{Place, UniqueSubject};

/// What is there, or `None` if the key is free by now.
pub(super) async fn look(
    link: &Link,
    conn: &Connection,
    plan: &UniquePlan,
) -> Result<Option<Found>, JobsError> {
    let (names, subject) = (link.names(), &plan.subject);
    let filter = names.unique_filter(&subject.queue, &subject.key);
    let newest = last(conn, link, &filter).await?;
    let Some(mut newest) = newest else {
        return Ok(None);
    };
    if matches!(plan.policy, Policy::Throttle(_)) && newest.place != Place::Window {
        // A retry may be newer than the marker. Should a marker come after this, the sequence has changed.
        let filter = names.window_filter(&subject.queue, &subject.key);
        if let Some(marker) = last(conn, link, &filter).await? {
            return Ok(Some(marker));
        }
    }
    if asks_for_start(plan.policy)
        && let Some(priority) = newest.place.priority()
    {
        let delivered = delivered_up_to(conn, link, &subject.queue, priority).await?;
        newest.is_started = delivered >= newest.sequence;
    }
    Ok(Some(newest))
}

async fn last(conn: &Connection, link: &Link, filter: &str) -> Result<Option<Found>, JobsError> {
    let stored = last_at_leader(conn, &link.names().jobs_stream(), filter).await?;
    Ok(stored.and_then(|stored| {
        let subject = UniqueSubject::read(&stored.subject)?;
        Some(Found {
            id: subject.id,
            place: subject.place,
            sequence: stored.sequence,
            is_started: false,
            due: stored.due(),
            payload_ref: payload_of(&stored.payload),
        })
    }))
}

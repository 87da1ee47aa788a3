//! The steps of a cancel, in their order. Each may be done twice.

use bytes::Bytes;
use naq_connection::Connection;
use tokio::time::Instant;

use super::holder::{ask, place_of};
use super::places::{Found, find};
use super::report::{CancelReport, CancelledFrom};
use super::telling::tell_cancelled;
use crate::flow_end::tell_end;
use crate::model::JobId;
use crate::parked::release_after;
use crate::payload::release;
use crate::results::{outcome_headers, parse, strict_headers};
use crate::server::{Link, delete_sequence, last_at_leader, now_ms, persist, wrong_sequence};
use crate::wire::{CancelNotice, FailureReason, JobFailure, Outcome, Status, holder};
use crate::{JobsError, JobsErrorKind};

/// Looks at a job that moves on while it is looked at, and removals of its messages.
const ROUNDS: usize = 8;

const CONTEXT: &str = "cancel a job";

/// What the first look showed.
struct Seen {
    found: Vec<Found>,
    fence: u64,
    /// The fence counts claims, too.
    is_strict: bool,
    /// The outcome `cancelled` is there, by this call or an earlier one.
    is_written: bool,
    from: CancelledFrom,
}

impl Seen {
    /// The attempt that the cancel ends; 0 if none has begun.
    fn attempt(&self, found: &Found) -> u32 {
        match &self.from {
            CancelledFrom::Running { attempt, .. } => *attempt,
            CancelledFrom::Leased => found.attempts().saturating_add(1),
            _ => found.attempts(),
        }
    }
}

/// How the attempt that runs becomes known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    /// Its worker says so.
    Asked,
    /// It is taken for the one after those that the message knows of.
    Guessed,
}

/// Cancels the job, or says how it has ended; its workflow, if it has one, is told.
pub(crate) async fn cancel(
    link: &Link,
    id: &JobId,
    notice: &CancelNotice,
) -> Result<CancelReport, JobsError> {
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let nonce = fastrand::u64(..) >> 11;
    let from = persist(link, CONTEXT, deadline, move |conn| async move {
        let (seen, is_cancelled) = settle(&conn, link, id, notice, nonce, Whom::Asked).await?;
        if !is_cancelled {
            return Ok(seen.from);
        }
        tell_workflow(link, &seen, deadline).await?;
        release_heirs(&conn, link, &seen).await?;
        remove(&conn, link, id).await?;
        push(&conn, link, id, notice).await?;
        Ok(seen.from)
    })
    .await?;
    let id = id.clone();
    Ok(CancelReport { id, from })
}

/// As [`cancel`], for the workflow that the job belongs to: nobody is told but the worker that may run it, and nobody is asked
/// for the attempt, since there may be many jobs. Says how the job has ended.
pub(crate) async fn cancel_node(
    link: &Link,
    id: &JobId,
    notice: &CancelNotice,
) -> Result<Status, JobsError> {
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let nonce = fastrand::u64(..) >> 11;
    persist(link, CONTEXT, deadline, move |conn| async move {
        match settle(&conn, link, id, notice, nonce, Whom::Guessed).await? {
            (_, true) => {
                // The handler first: to remove messages is in no hurry.
                let body: Bytes = serde_json::to_vec(notice).unwrap_or_default().into();
                let sent = conn.publish(link.names().cancel(id), body).await;
                sent.map_err(|e| JobsError::connection(CONTEXT, e))?;
                remove(&conn, link, id).await?;
                Ok(Status::Cancelled)
            }
            (seen, false) => Ok(match seen.from {
                CancelledFrom::Ended { status } => status,
                _ => Status::Cancelled,
            }),
        }
    })
    .await
}

/// Sees to it that the job has an outcome; whether that is `cancelled`.
async fn settle(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    notice: &CancelNotice,
    nonce: u64,
    whom: Whom,
) -> Result<(Seen, bool), JobsError> {
    for _ in 0..ROUNDS {
        let mut seen = look(conn, link, id, nonce).await?;
        if !seen.is_written && matches!(seen.from, CancelledFrom::Ended { .. }) {
            return Ok((seen, false));
        }
        if whom == Whom::Asked && seen.from == CancelledFrom::Leased {
            // Before the outcome is written: that says the attempt, and is never written again.
            seen.from = ask(conn, link, id).await?;
        }
        if seen.is_written || write(conn, link, id, &seen, notice, nonce).await? {
            return Ok((seen, true));
        }
    }
    let context = format!("cancel job {id}: it keeps changing");
    Err(JobsError::new(JobsErrorKind::Conflict, context))
}

/// Reads the outcome and the messages of the job.
async fn look(conn: &Connection, link: &Link, id: &JobId, nonce: u64) -> Result<Seen, JobsError> {
    let (stream, subject) = (link.names().results_stream(), link.names().result(id));
    // The messages first: a job that ends in between has its outcome when that is read.
    let found = find(conn, link, id).await?;
    let claim = match found.iter().any(Found::is_strict) {
        false => None,
        // Before the outcome: one that is written in between makes the cancel look again.
        true => {
            let newest = last_at_leader(conn, &stream, &link.names().claim_or_result(id)).await?;
            Some(newest.map_or(0, |newest| newest.sequence))
        }
    };
    let outcome = last_at_leader(conn, &stream, &subject).await?;
    let run = found.iter().map(Found::fence).max().unwrap_or(0);
    let fence = match outcome {
        Some(outcome) if !found.is_empty() && outcome.sequence == run => run,
        Some(outcome) => {
            let parsed = parse(&subject, &outcome.payload).ok();
            let status = parsed.as_ref().map_or(Status::Failed, |o| o.status);
            let from = if parsed.is_some_and(|o| o.nonce == nonce) {
                place_of(conn, link, &found).await?
            } else {
                CancelledFrom::Ended { status }
            };
            let is_written = status == Status::Cancelled;
            return Ok(Seen {
                found,
                fence: 0,
                is_strict: false,
                is_written,
                from,
            });
        }
        None if found.is_empty() => {
            let context = format!(
                "find job {id}: it never was, has ended without a kept result, or its outcome has expired"
            );
            return Err(JobsError::new(JobsErrorKind::NotFound, context));
        }
        None => 0,
    };
    let from = place_of(conn, link, &found).await?;
    Ok(Seen {
        found,
        fence: claim.unwrap_or(fence),
        is_strict: claim.is_some(),
        is_written: false,
        from,
    })
}

/// Writes the outcome; `false` if somebody else has.
async fn write(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    seen: &Seen,
    notice: &CancelNotice,
    nonce: u64,
) -> Result<bool, JobsError> {
    let Some(first) = seen.found.first() else {
        return Ok(true);
    };
    let (kind, ttl) = first.kind_and_ttl();
    let now = now_ms();
    let outcome = Outcome {
        v: 1,
        id: id.to_string(),
        kind,
        queue: first.spot.queue.to_string(),
        status: Status::Cancelled,
        attempt: seen.attempt(first),
        worker: holder("cancel"),
        nonce,
        started_at_ms: now,
        finished_at_ms: now,
        result: None,
        result_ref: None,
        result_zlib: None,
        error: Some(JobFailure::new(
            FailureReason::Cancelled,
            notice.reason.clone(),
        )),
    };
    let body = serde_json::to_vec(&outcome)
        .map_err(|e| JobsError::new(JobsErrorKind::InvalidPayload, CONTEXT).because(e))?;
    let ttl = ttl.unwrap_or(link.settings().results.ttl);
    let fields = match seen.is_strict {
        false => outcome_headers(&outcome, ttl, seen.fence),
        true => strict_headers(&outcome, ttl, seen.fence, &link.names().claim_or_result(id)),
    };
    match conn
        .publish_acked(link.names().result(id), fields, body)
        .await
    {
        Ok(_) => {
            tell_cancelled(link, &outcome);
            Ok(true)
        }
        Err(e) if wrong_sequence(&e).is_some() => Ok(false),
        Err(e) => Err(JobsError::connection(CONTEXT, e)),
    }
}

/// A workflow whose node this is goes on, also if no worker ever sees the job.
async fn tell_workflow(link: &Link, seen: &Seen, deadline: Instant) -> Result<(), JobsError> {
    let flow = seen.found.iter().find_map(Found::flow);
    match &flow {
        Some(flow) => tell_end(link, flow, Status::Cancelled, deadline).await,
        None => Ok(()),
    }
}

/// What was kept back for this job may start, also if no worker ever sees it.
async fn release_heirs(conn: &Connection, link: &Link, seen: &Seen) -> Result<(), JobsError> {
    match seen.found.iter().find(|found| found.is_awaited()) {
        Some(found) => release_after(conn, link, &found.spot.queue, &found.spot.id).await,
        None => Ok(()),
    }
}

/// Removes the job's messages until there are none: one that was due may have moved meanwhile.
async fn remove(conn: &Connection, link: &Link, id: &JobId) -> Result<(), JobsError> {
    let stream = link.names().jobs_stream();
    for _ in 0..ROUNDS {
        let found = find(conn, link, id).await?;
        if found.is_empty() {
            break;
        }
        for found in found {
            delete_sequence(conn, &stream, found.message.sequence).await?;
            release(link, &found.message.payload).await?;
        }
    }
    Ok(())
}

/// Tells the workers: all of them, since the job may be on its way to one.
async fn push(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    notice: &CancelNotice,
) -> Result<(), JobsError> {
    let failed = |e| JobsError::connection(CONTEXT, e);
    let body: Bytes = serde_json::to_vec(notice).unwrap_or_default().into();
    let sent = conn.publish(link.names().cancel(id), body).await;
    sent.map_err(failed)?;
    conn.flush_confirmed().await.map_err(failed)
}

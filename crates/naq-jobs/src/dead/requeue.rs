//! Puts a dead letter back into its queue.
//!
//! The new run may replace the failed outcome, and only that: its sequence travels as the fence. The message id names
//! the dead letter, so a requeue that is tried again enqueues once.

use naq_connection::Connection;

use crate::enqueue::returning;
use crate::events::{EventType, Fact, NONE};
use crate::model::{KindName, TraceContext};
use crate::server::{Link, delete_sequence, last_at_leader, last_of, wrong_sequence};
use crate::traces::{Sending, SpanStart, TraceOperation, tracer};
use crate::wire::{UniqueSubject, carried, headers, text};
use crate::{JobsError, JobsErrorKind, failpoint};

use super::DeadLetter;

pub(super) async fn requeue(link: &Link, letter: &DeadLetter) -> Result<(), JobsError> {
    let old = TraceContext::read(letter.headers.as_ref());
    let sending = begin_trace(letter, old.as_ref());
    let done = send(link, letter, sending.as_ref()).await;
    if let Some(sending) = sending {
        sending.landed_many(1, done.as_ref().err());
    }
    done
}

/// A trace of its own, linked to that of the job so far. Without a tracer the job stays in the trace that it had.
fn begin_trace(letter: &DeadLetter, old: Option<&TraceContext>) -> Option<Sending> {
    tracer()?;
    let mut start = SpanStart::new(TraceOperation::Requeue);
    start.destination = Some(letter.queue.as_str());
    start.job_id = Some(letter.id.as_str());
    start.kind = letter.kind.as_deref();
    start.links = old.map_or(&[], std::slice::from_ref);
    Some(Sending::begin(&start))
}

async fn send(
    link: &Link,
    letter: &DeadLetter,
    sending: Option<&Sending>,
) -> Result<(), JobsError> {
    let context = "requeue a dead letter";
    let conn = link.lease(context).await?;
    let names = link.names();
    let outcome = last_of(&conn, &names.results_stream(), &names.result(&letter.id)).await?;
    let mut fields = carried(letter.headers.as_ref());
    if let Some(sending) = sending {
        sending.write(&mut fields);
    }
    fields.insert(
        "Nats-Msg-Id",
        format!("{}:requeue:{}", letter.id, letter.sequence),
    );
    let fence = outcome.map_or(0, |outcome| outcome.sequence);
    fields.insert(headers::FENCE, fence.to_string());
    let subject = returning(link, &letter.queue, &letter.id, &mut fields);
    let key = text(Some(&fields), headers::UNIQUE)
        .unwrap_or_default()
        .to_owned();
    match conn
        .publish_acked(subject.clone(), fields, letter.body.clone())
        .await
    {
        Ok(_) => failpoint::reach("requeue-stored"),
        Err(error) if wrong_sequence(&error).is_some() => {
            taken(link, &conn, letter, &subject, &key).await?;
        }
        Err(error) => return Err(JobsError::connection(context, error)),
    }
    tell(link, letter);
    delete_sequence(&conn, &names.dead_stream(), letter.sequence)
        .await
        .map(drop)
}

fn tell(link: &Link, letter: &DeadLetter) {
    // A foreign client may have written any text there.
    let kind = letter
        .kind
        .clone()
        .and_then(|kind| KindName::new(kind).ok());
    let kind = kind.as_ref().map_or(NONE, KindName::as_str);
    let (queue, id) = (letter.queue.as_str(), letter.id.as_str());
    let fact = Fact::of(EventType::Requeued, queue, kind, id);
    link.events().tell(&fact);
}

/// The key of a unique job is taken: that is refused, unless it is the job itself, by an answer that was lost.
async fn taken(
    link: &Link,
    conn: &Connection,
    letter: &DeadLetter,
    subject: &str,
    key: &str,
) -> Result<(), JobsError> {
    let found = last_at_leader(conn, &link.names().jobs_stream(), subject).await?;
    if found.is_some() {
        return Ok(());
    }
    let unique = UniqueSubject::read(subject);
    let filter = unique.map(|unique| link.names().unique_filter(&unique.queue, &unique.key));
    let holder = match &filter {
        Some(filter) => last_at_leader(conn, &link.names().jobs_stream(), filter).await?,
        None => None,
    };
    let holder = holder.and_then(|holder| UniqueSubject::read(&holder.subject));
    let Some(holder) = holder else {
        let context = format!("requeue {}: its key was just taken", letter.id);
        return Err(JobsError::new(JobsErrorKind::Conflict, context));
    };
    Err(JobsError::new(
        JobsErrorKind::AlreadyExists,
        format!(
            "requeue {}: its key {key:?} is taken by the job {} now. Wait for the end of that one, or \
             remove one of the two",
            letter.id, holder.id
        ),
    ))
}

//! Puts a dead letter back into its queue.
//!
//! The new run may replace the failed outcome, and only that: its sequence travels as the fence. The message id names
//! the dead letter, so a requeue that is tried again enqueues once.

use crate::JobsError;
use crate::events::{EventType, Fact, NONE};
use crate::model::KindName;
use crate::server::{Link, delete_sequence, last_of};
use crate::wire::{headers, passed_on};

use super::DeadLetter;

pub(super) async fn requeue(link: &Link, letter: &DeadLetter) -> Result<(), JobsError> {
    let context = "requeue a dead letter";
    let conn = link.lease(context).await?;
    let names = link.names();
    let outcome = last_of(&conn, &names.results_stream(), &names.result(&letter.id)).await?;
    let mut fields = passed_on(letter.headers.as_ref());
    fields.insert(
        "Nats-Msg-Id",
        format!("{}:requeue:{}", letter.id, letter.sequence),
    );
    if let Some(outcome) = outcome {
        fields.insert(headers::FENCE, outcome.sequence.to_string());
    }
    conn.publish_acked(
        names.job(&letter.queue, &letter.id),
        fields,
        letter.body.clone(),
    )
    .await
    .map_err(|e| JobsError::connection(context, e))?;
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

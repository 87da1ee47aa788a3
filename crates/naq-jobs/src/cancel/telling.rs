//! What is told of jobs that are cancelled before a worker has them.

use crate::events::{EventType, Fact, NONE};
use crate::model::KindName;
use crate::server::Link;
use crate::wire::Outcome;

/// The outcome `cancelled` is written.
pub(crate) fn tell_cancelled(link: &Link, outcome: &Outcome) {
    // A foreign client may have written any text there.
    let kind = outcome
        .kind
        .clone()
        .and_then(|kind| KindName::new(kind).ok());
    let kind = kind.as_ref().map_or(NONE, KindName::as_str);
    let mut fact = Fact::of(EventType::Cancelled, &outcome.queue, kind, &outcome.id);
    fact.message = outcome.error.as_ref().map(|error| error.message.as_str());
    link.events().tell(&fact);
}

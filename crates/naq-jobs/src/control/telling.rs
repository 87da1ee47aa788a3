//! What is told of settings at run time.

use crate::events::{EventType, Fact};
use crate::model::{KindName, QueueName};
use crate::server::Link;

/// A queue was paused or resumed.
pub(super) fn tell_queue(link: &Link, event_type: EventType, queue: &QueueName) {
    let mut fact = Fact::now(event_type);
    fact.queue = queue.as_str();
    link.events().tell(&fact);
}

/// A kind was paused or resumed.
pub(super) fn tell_kind(link: &Link, event_type: EventType, kind: &KindName) {
    let mut fact = Fact::now(event_type);
    fact.kind = kind.as_str();
    link.events().tell(&fact);
}

//! What is told of a job that is stored.

use super::one::{Landed, Prepared};
use crate::events::{EventType, Fact};
use crate::model::Landing;
use crate::server::{Link, unix_ms};
use crate::wire::Names;

impl Prepared {
    /// The server has stored it.
    pub(super) fn tell(&self, link: &Link) {
        let due_ms = self.due_at().map(unix_ms);
        let event_type = match due_ms {
            None => EventType::Enqueued,
            Some(_) => EventType::Scheduled,
        };
        if !link.events().is_on() {
            return;
        }
        let Some((queue, _)) = Names::parse(&self.subject) else {
            return;
        };
        let mut fact = Fact::of(
            event_type,
            queue.as_str(),
            self.kind.as_str(),
            self.id.as_str(),
        );
        fact.at_ms = unix_ms(self.made_at);
        fact.due_ms = due_ms;
        link.events().tell(&fact);
    }

    /// A unique job has landed: one that was there already is not told again.
    pub(super) fn tell_landed(&self, link: &Link, landed: &Landed) {
        if landed.landing != Landing::Existing {
            self.tell(link);
        }
    }
}

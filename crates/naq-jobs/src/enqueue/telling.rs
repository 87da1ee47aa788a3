//! What is told of a job that is stored.

use super::one::Landed;
use super::prepared::Prepared;
use crate::events::{EventType, Fact};
use crate::model::Landing;
use crate::server::{Link, unix_ms};

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
        let mut fact = Fact::at(event_type, unix_ms(self.made_at));
        fact.queue = self.queue.as_str();
        fact.kind = self.kind.as_str();
        fact.job_id = Some(self.id.as_str());
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

//! Events of one group, as they are sent in one message.

use super::EventType;
use super::fact::Fact;

/// What the events of a batch have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) event_type: EventType,
    pub(crate) queue: Box<str>,
    pub(crate) kind: Box<str>,
    pub(crate) worker: Box<str>,
}

/// Events of one group, as they are sent.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) group: Group,
    /// The job, if there is one event and it has one.
    pub(crate) job: Option<Box<str>>,
    /// The entries, with commas between them.
    pub(crate) entries: Vec<u8>,
    pub(crate) events: u64,
    /// Events that a gap in it stands for.
    lost: u64,
    pub(super) first_ms: u64,
    /// Its place among those that were opened: the order of their first events.
    pub(super) opened: u64,
    /// Times of the attempts that it tells the end of, and of the waits before it tells the start, in milliseconds.
    pub(crate) times_ms: Vec<f64>,
    /// Makes a repeated publish recognisable.
    pub(crate) number: u64,
}

impl Batch {
    /// Events that were dropped, if it is a gap.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    pub(super) fn new(fact: &Fact<'_>, opened: u64, size: usize) -> Self {
        Self {
            group: Group {
                event_type: fact.event_type,
                queue: fact.queue.into(),
                kind: fact.kind.into(),
                worker: fact.worker.into(),
            },
            job: fact.job_id.map(Into::into),
            entries: Vec::with_capacity(size.max(256)),
            events: 0,
            lost: 0,
            first_ms: fact.at_ms,
            opened,
            times_ms: Vec::new(),
            number: 0,
        }
    }

    pub(super) fn add(&mut self, fact: &Fact<'_>) {
        let length = self.entries.len();
        if self.events > 0 {
            self.entries.push(b',');
            self.job = None;
        }
        if serde_json::to_writer(&mut self.entries, fact).is_err() {
            // A detail that has no JSON form; none of ours is like that.
            self.entries.truncate(length);
            return;
        }
        self.events += 1;
        self.lost += fact.lost.unwrap_or(0);
        let wait = fact.wait_ms.and_then(|ms| u32::try_from(ms).ok());
        self.times_ms
            .extend(fact.duration_ms.or(wait.map(f64::from)));
    }
}

impl Group {
    pub(super) fn is(&self, fact: &Fact<'_>) -> bool {
        self.event_type == fact.event_type
            && *self.queue == *fact.queue
            && *self.kind == *fact.kind
            && *self.worker == *fact.worker
    }
}

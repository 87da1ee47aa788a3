//! Gathers facts into batches; pure.
//!
//! ```text
//!   push ──► OPEN (one per group) ── full, or flushed ──► SEALED ── taken ──► on its way
//!                 │ no room                                 │ no room  ▲           │
//!                 ▼                                         ▼          └─ returned ┘
//!              DROPPED ◄────────────────────────────────────┘  (the oldest, counted)
//! ```

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::batch::{Batch, Group};
use super::fact::Fact;

/// Bytes after which a batch is full.
const MAX_BYTES: usize = 60 * 1024;

/// Counts that may wait to be sent; further groups are not counted.
const MAX_COUNTS: usize = 20_000;

/// How much of a group there was in an hour.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Count {
    pub(crate) group: Group,
    /// Hours since 1970.
    pub(crate) hour: u64,
    pub(crate) events: u64,
    /// Summed time of the attempts that ended.
    pub(crate) busy_ms: u64,
}

/// What is to be sent.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) batches: Vec<Batch>,
    pub(crate) counts: Vec<Count>,
}

/// Whether somebody has to be told of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// No: the time of the flush is set.
    Waits,
    /// The first event after a flush.
    First,
    /// A batch is full.
    Full,
}

/// The facts that wait.
#[derive(Debug)]
pub(super) struct Buffer {
    hasher: RandomState,
    open: HashMap<u64, Batch, RandomState>,
    sealed: VecDeque<Batch>,
    counts: HashMap<(Group, u64), Count>,
    /// Events in `open` and `sealed`.
    waiting: u64,
    dropped: u64,
    opened: u64,
    number: u64,
    batch_size: u64,
    limit: u64,
    /// Bytes of the last batch that was full: the next ones will be like it.
    usual: usize,
}

/// Batches that are made as large as usual at once, so that few groups need not grow theirs; others begin small.
const LARGE: usize = 8;

impl Buffer {
    pub(super) fn new(batch_size: u32, limit: u32) -> Self {
        Self {
            hasher: RandomState::default(),
            open: HashMap::default(),
            sealed: VecDeque::new(),
            counts: HashMap::new(),
            waiting: 0,
            dropped: 0,
            opened: 0,
            number: 0,
            batch_size: batch_size.into(),
            limit: limit.into(),
            usual: 0,
        }
    }

    /// Takes a fact in.
    pub(super) fn push(&mut self, fact: &Fact<'_>) -> Pushed {
        let before = self.number;
        let is_first = self.open.is_empty();
        if self.waiting >= self.limit {
            self.drop_oldest();
        }
        let parts = (fact.event_type, fact.queue, fact.kind, fact.worker);
        let key = self.hasher.hash_one(parts);
        let size = if self.open.len() < LARGE {
            self.usual
        } else {
            0
        };
        let place = match self.open.entry(key) {
            Entry::Occupied(other) if !other.get().group.is(fact) => {
                // Two groups with one hash: the one that is there goes.
                self.seal(key);
                self.open.entry(key)
            }
            place => place,
        };
        let batch = match place {
            Entry::Occupied(batch) => batch.into_mut(),
            Entry::Vacant(place) => {
                self.opened += 1;
                place.insert(Batch::new(fact, self.opened, size))
            }
        };
        batch.add(fact);
        self.waiting += 1;
        if batch.events >= self.batch_size || batch.entries.len() >= MAX_BYTES {
            self.usual = batch.entries.len() * 9 / 8;
            self.seal(key);
        }
        if self.number > before {
            Pushed::Full
        } else if is_first {
            Pushed::First
        } else {
            Pushed::Waits
        }
    }

    /// Takes out what is sealed; with `all`, everything, and the counts.
    pub(super) fn take(&mut self, all: bool) -> Taken {
        let mut taken = Taken::default();
        if all {
            let mut open: Vec<(u64, u64)> = self.open.iter().map(|(k, b)| (b.opened, *k)).collect();
            open.sort_unstable();
            for (_, key) in open {
                self.seal(key);
            }
            taken.counts = self.counts.drain().map(|(_, count)| count).collect();
        }
        taken.batches = self.sealed.drain(..).collect();
        self.waiting -= taken.batches.iter().map(|batch| batch.events).sum::<u64>();
        taken
    }

    /// Puts back what could not be sent, in front of all others.
    pub(super) fn put_back(&mut self, batches: Vec<Batch>) {
        for batch in batches.into_iter().rev() {
            self.waiting += batch.events;
            self.sealed.push_front(batch);
        }
        while self.waiting > self.limit {
            self.drop_oldest();
        }
    }

    /// Events that were dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn seal(&mut self, key: u64) {
        let Some(mut batch) = self.open.remove(&key) else {
            return;
        };
        self.number += 1;
        batch.number = self.number;
        self.count(&batch);
        self.sealed.push_back(batch);
    }

    /// Counts are kept also where the events are dropped later: they are few, and the statistics stay right.
    fn count(&mut self, batch: &Batch) {
        let key = (batch.group.clone(), batch.first_ms / 3_600_000);
        if self.counts.len() >= MAX_COUNTS && !self.counts.contains_key(&key) {
            return;
        }
        let hour = key.1;
        let count = self.counts.entry(key).or_insert_with(|| Count {
            group: batch.group.clone(),
            hour,
            events: 0,
            busy_ms: 0,
        });
        count.events += batch.events;
        if batch.group.event_type.ends_attempt() {
            count.busy_ms += whole(batch.times_ms.iter().sum());
        }
    }

    fn drop_oldest(&mut self) {
        if self.sealed.is_empty() {
            let oldest = self.open.iter().min_by_key(|(_, batch)| batch.opened);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.seal(key);
            }
        }
        if let Some(batch) = self.sealed.pop_front() {
            self.waiting -= batch.events;
            // A gap that is lost has to be told again.
            self.dropped += if batch.lost() > 0 {
                batch.lost()
            } else {
                batch.events
            };
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of times; the cast saturates"
)]
fn whole(ms: f64) -> u64 {
    ms.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventType;

    fn fact<'a>(event_type: EventType, kind: &'a str, id: &'a str) -> Fact<'a> {
        Fact::of(event_type, "q", kind, id)
    }

    fn ids(taken: &Taken) -> Vec<String> {
        let bodies = taken
            .batches
            .iter()
            .map(|b| format!("[{}]", String::from_utf8_lossy(&b.entries)));
        let entries =
            bodies.flat_map(|body| serde_json::from_str::<Vec<serde_json::Value>>(&body).unwrap());
        entries
            .map(|e| e["job_id"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn events_of_a_group_share_a_batch_and_a_single_one_keeps_its_job() {
        let mut buffer = Buffer::new(10, 100);
        assert_eq!(
            buffer.push(&fact(EventType::Started, "a", "1")),
            Pushed::First
        );
        assert_eq!(
            buffer.push(&fact(EventType::Started, "a", "2")),
            Pushed::Waits
        );
        assert_eq!(
            buffer.push(&fact(EventType::Completed, "a", "1")),
            Pushed::Waits
        );
        assert!(buffer.take(false).batches.is_empty());
        let taken = buffer.take(true);
        let jobs: Vec<_> = taken
            .batches
            .iter()
            .map(|b| (b.events, b.job.as_deref()))
            .collect();
        assert!(
            jobs.contains(&(2, None)) && jobs.contains(&(1, Some("1"))),
            "{jobs:?}"
        );
        assert_eq!(taken.counts.len(), 2);
        assert_eq!(buffer.waiting, 0);
        assert_eq!(
            buffer.push(&fact(EventType::Started, "a", "3")),
            Pushed::First
        );
    }

    #[test]
    fn a_full_batch_is_ready_at_once() {
        let mut buffer = Buffer::new(2, 100);
        buffer.push(&fact(EventType::Started, "a", "1"));
        assert_eq!(
            buffer.push(&fact(EventType::Started, "a", "2")),
            Pushed::Full
        );
        assert_eq!(ids(&buffer.take(false)), ["1", "2"]);
    }

    #[test]
    fn without_room_the_oldest_go_and_are_counted_exactly() {
        let mut buffer = Buffer::new(2, 6);
        for n in 0..10 {
            buffer.push(&fact(EventType::Started, "a", &n.to_string()));
            assert!(buffer.waiting <= 6);
        }
        assert_eq!(buffer.take_dropped(), 4);
        let taken = buffer.take(true);
        assert_eq!(ids(&taken), ["4", "5", "6", "7", "8", "9"]);
        // What was dropped is counted all the same.
        assert_eq!(taken.counts[0].events, 10);
        // Put back with no room left: again the oldest go.
        for n in 10..13 {
            buffer.push(&fact(EventType::Started, "a", &n.to_string()));
        }
        buffer.put_back(taken.batches);
        let left = ids(&buffer.take(true));
        assert_eq!(buffer.take_dropped() + left.len() as u64, 9);
        assert_eq!(left.last().unwrap(), "12");
    }

    #[test]
    fn a_gap_that_is_dropped_keeps_its_number() {
        let mut buffer = Buffer::new(1, 1);
        let mut gap = Fact::now(EventType::Gap);
        gap.lost = Some(41);
        buffer.push(&gap);
        buffer.push(&fact(EventType::Started, "a", "1"));
        assert_eq!(buffer.take_dropped(), 41);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_unseen(
            batch in 1..20_u32, limit in 20..60_u32,
            steps in proptest::collection::vec((0..4_u8, 0..5_u8), 0..300),
        ) {
            let mut buffer = Buffer::new(batch, limit);
            let (mut pushed, mut out, mut dropped) = (0_u64, 0_u64, 0_u64);
            for (step, kind) in steps {
                match step {
                    0..=1 => {
                        buffer.push(&fact(EventType::Started, &kind.to_string(), "x"));
                        pushed += 1;
                    }
                    2 => out += buffer.take(kind % 2 == 0).batches.iter().map(|b| b.events).sum::<u64>(),
                    _ => {
                        let taken = buffer.take(true);
                        buffer.put_back(taken.batches);
                    }
                }
                dropped += buffer.take_dropped();
                proptest::prop_assert!(buffer.waiting <= u64::from(limit));
                proptest::prop_assert_eq!(pushed, out + dropped + buffer.waiting);
            }
        }
    }
}

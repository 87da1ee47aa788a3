//! What handlers have said and nobody has sent yet: bounded, and never waited for.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::news::{LogLine, Said};
use crate::model::{JobId, KindName, QueueName};

/// Notes that may wait; the progress of a job is one.
const LIMIT: usize = 1024;

/// Longest wait for the notes of a job before its outcome is written.
const PATIENCE: Duration = Duration::from_secs(1);

/// A note that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) id: JobId,
    /// Its number among all of this worker.
    pub(super) number: u64,
    pub(super) said: Said,
    /// Of a progress, which is an event, too: the queue and the kind of the job.
    pub(super) place: Option<(QueueName, KindName)>,
}

/// The job that a note is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) id: &'a JobId,
    pub(crate) queue: &'a QueueName,
    pub(crate) kind: &'a KindName,
}

/// The notes of one worker. A cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Rings when there is something to send.
    wake: Notify,
    /// Rings when somebody waits for it to be sent.
    urgent: Notify,
    /// All notes up to this number are sent or given up.
    settled: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Waiting>,
    progress: HashMap<JobId, Waiting>,
    /// The number of the newest note.
    newest: u64,
    /// Notes for which there was no place, by job.
    dropped: HashMap<JobId, (u64, u32, u64)>,
}

impl Outbox {
    /// Takes a note; says its number, or `None` if there was no place for it.
    pub(crate) fn put(&self, whose: Whose<'_>, said: Said) -> Option<u64> {
        let (mut state, id) = (self.lock(), whose.id);
        let is_progress = matches!(said, Said::Progress(_));
        let is_known = is_progress && state.progress.contains_key(id);
        if !is_known && state.queue.len() + state.progress.len() >= LIMIT {
            if let Said::Part(super::Part { attempt, at_ms, .. })
            | Said::Log(LogLine { attempt, at_ms, .. }) = said
                && (state.dropped.len() < LIMIT || state.dropped.contains_key(id))
            {
                let dropped = state
                    .dropped
                    .entry(id.clone())
                    .or_insert((0, attempt, at_ms));
                dropped.0 += 1;
            }
            return None;
        }
        state.newest += 1;
        let waiting = Waiting {
            id: id.clone(),
            number: state.newest,
            said,
            place: is_progress.then(|| (whose.queue.clone(), whose.kind.clone())),
        };
        let number = waiting.number;
        if is_progress {
            state.progress.insert(id.clone(), waiting);
        } else {
            state.queue.push_back(waiting);
        }
        drop(state);
        self.0.wake.notify_one();
        Some(number)
    }

    /// Everything that waits, in its order, and the number of the newest of it.
    pub(super) fn take(&self) -> (Vec<Waiting>, u64) {
        let mut state = self.lock();
        let mut all: Vec<_> = state.queue.drain(..).collect();
        all.extend(state.progress.drain().map(|(_, waiting)| waiting));
        let dropped = std::mem::take(&mut state.dropped);
        for (id, (count, attempt, at_ms)) in dropped {
            state.newest += 1;
            let line = LogLine {
                level: "warn".to_owned(),
                message: format!("{count} notes were dropped: too many at once"),
                attempt,
                at_ms,
            };
            let number = state.newest;
            all.push(Waiting {
                id,
                number,
                said: Said::Log(line),
                place: None,
            });
        }
        all.sort_by_key(|waiting| waiting.number);
        (all, state.newest)
    }

    /// Everything up to `number` is sent or given up.
    pub(super) fn settle(&self, number: u64) {
        self.0.settled.send_replace(number);
    }

    /// Waits until the note `number` is sent or given up, for a short time at most.
    pub(crate) async fn sent(&self, number: u64) {
        let mut settled = self.0.settled.subscribe();
        if *settled.borrow() >= number {
            return;
        }
        self.0.urgent.notify_one();
        self.0.wake.notify_one();
        let enough = settled.wait_for(|settled| *settled >= number);
        if tokio::time::timeout(PATIENCE, enough).await.is_err() {
            tracing::debug!("the outcome of a job is written before its notes");
        }
    }

    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    pub(super) async fn hurried(&self) {
        self.0.urgent.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::Progress;

    fn id(n: usize) -> JobId {
        JobId::new(format!("j{n}")).unwrap()
    }

    /// Puts a note of a job whose queue and kind do not matter.
    fn put(outbox: &Outbox, id: &JobId, said: Said) -> Option<u64> {
        let (queue, kind) = (QueueName::new("q").unwrap(), KindName::new("k").unwrap());
        let whose = Whose {
            id,
            queue: &queue,
            kind: &kind,
        };
        outbox.put(whose, said)
    }

    fn progress(done: u64) -> Said {
        let message = None;
        Said::Progress(Progress {
            done,
            total: 0,
            message,
            attempt: 1,
            at_ms: 0,
        })
    }

    fn line(text: &str) -> Said {
        Said::Log(LogLine {
            level: "info".to_owned(),
            message: text.to_owned(),
            attempt: 1,
            at_ms: 0,
        })
    }

    #[test]
    fn of_many_progresses_the_last_one_is_sent_and_the_rest_keeps_its_order() {
        let outbox = Outbox::default();
        for done in 0..5000 {
            put(&outbox, &id(0), progress(done)).unwrap();
        }
        put(&outbox, &id(0), line("a")).unwrap();
        put(&outbox, &id(1), line("b")).unwrap();
        let (all, newest) = outbox.take();
        assert_eq!(newest, 5002);
        assert!(matches!(&all[0].said, Said::Progress(p) if p.done == 4999));
        assert!(matches!(&all[1].said, Said::Log(line) if line.message == "a"));
        assert_eq!(all.len(), 3);
        assert!(outbox.take().0.is_empty());
    }

    #[test]
    fn what_has_no_place_is_counted_and_told() {
        let outbox = Outbox::default();
        for _ in 0..LIMIT {
            assert!(put(&outbox, &id(0), line("x")).is_some());
        }
        for _ in 0..3 {
            assert!(put(&outbox, &id(0), line("y")).is_none());
        }
        let (all, _) = outbox.take();
        assert_eq!(all.len(), LIMIT + 1);
        assert!(
            matches!(&all[LIMIT].said, Said::Log(line) if line.message.contains("3 notes were dropped"))
        );
        assert!(
            put(&outbox, &id(0), line("z")).is_some(),
            "there is place again"
        );
    }
}

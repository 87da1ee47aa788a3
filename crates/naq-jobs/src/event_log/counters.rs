//! What was counted and is not yet known to the server.

use std::collections::VecDeque;

use async_nats::HeaderMap;
use futures::{StreamExt, stream};
use naq_connection::{Connection, ConnectionError};

use crate::events::Count;
use crate::wire::Names;

/// Increments that may wait; beyond them, counts are lost.
const MAX_WAITING: usize = 20_000;

/// Increments that are under way at the same time.
const AT_ONCE: usize = 32;

/// What is counted besides events: the time of attempts, in milliseconds.
pub(super) const BUSY: &str = "busy_ms";

/// Increments of counters, each sent until it is known to be stored.
#[derive(Debug)]
pub(super) struct Counters {
    process: String,
    number: u64,
    waiting: VecDeque<Increment>,
}

#[derive(Debug)]
struct Increment {
    subject: String,
    by: u64,
    /// The same at each try, so that a lost answer does not count twice.
    id: String,
}

impl Counters {
    pub(super) fn new(process: String) -> Self {
        Self {
            process,
            number: 0,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes in what was counted.
    pub(super) fn add(&mut self, names: &Names, counts: Vec<Count>) {
        for count in counts {
            let (group, hour) = (&count.group, count.hour.to_string());
            let subject =
                |what| names.counter([&hour, what, &group.queue, &group.kind, &group.worker]);
            self.push(subject(group.event_type.as_str()), count.events);
            if count.busy_ms > 0 {
                self.push(subject(BUSY), count.busy_ms);
            }
        }
    }

    fn push(&mut self, subject: String, by: u64) {
        if self.waiting.len() >= MAX_WAITING {
            return;
        }
        self.number += 1;
        self.waiting.push_back(Increment {
            subject,
            by,
            id: format!("{}-c{}", self.process, self.number),
        });
    }

    /// Sends them; what fails stays, unless it can never succeed.
    pub(super) async fn send(&mut self, conn: &Connection) -> Result<(), ConnectionError> {
        let waiting = std::mem::take(&mut self.waiting);
        // Collected first: a stream of borrowing closures is no `Send` future.
        let sends: Vec<_> = waiting
            .iter()
            .map(|increment| increment.send(conn))
            .collect();
        let results: Vec<_> = stream::iter(sends).buffered(AT_ONCE).collect().await;
        let mut failed = Ok(());
        for (increment, result) in waiting.into_iter().zip(results) {
            match result {
                Ok(()) => {}
                Err(error) if error.is_transient() || error.outcome_unknown() => {
                    self.waiting.push_back(increment);
                    failed = Err(error);
                }
                Err(error) => {
                    tracing::warn!(counter = increment.subject, %error, "not counted");
                }
            }
        }
        failed
    }
}

impl Increment {
    async fn send(&self, conn: &Connection) -> Result<(), ConnectionError> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Incr", format!("+{}", self.by));
        headers.insert("Nats-Msg-Id", self.id.as_str());
        conn.publish_acked(self.subject.clone(), headers, "")
            .await
            .map(drop)
    }
}

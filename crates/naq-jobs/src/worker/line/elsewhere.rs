//! Who waits in line in the other workers, as far as they have told: a strict order holds over all of them.
//!
//! ```text
//!   the best priority in line here changes ──► told to the workers of the queue
//!   called, and a better one waits elsewhere ──► lets it go first: until it is told that none does, or for PATIENCE
//! ```
//!
//! What is told is a hint: who did not hear it, or waited in vain, asks for the place all the same, and the server decides.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::JobsError;
use crate::control::{InLine, News, QueueOrder};
use crate::model::{Priority, QueueName};
use crate::worker::delivery::Delivered;
use crate::worker::runner::Runner;

/// How long a place is left to a better one that does not come for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Workers of a queue that are remembered.
const MOST: usize = 1000;

/// What the others have told, and what was told to them.
#[derive(Debug, Default)]
pub(in crate::worker) struct Elsewhere {
    queues: Mutex<HashMap<QueueName, Known>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// The best priority in line, by worker.
    others: HashMap<String, (Priority, Instant)>,
    /// The last that was told of this worker.
    told: Option<Priority>,
}

impl Elsewhere {
    /// Another worker has told.
    fn heard(&self, queue: &QueueName, news: InLine) {
        let mut queues = self.lock();
        let others = &mut queues.entry(queue.clone()).or_default().others;
        match news.priority {
            Some(priority) if others.len() < MOST || others.contains_key(&news.worker) => {
                others.insert(news.worker, (priority, Instant::now()));
            }
            _ => drop(others.remove(&news.worker)),
        }
        drop(queues);
        self.changed.notify_waiters();
    }

    /// Whether `best` is news to the others; it counts as told then.
    fn is_news(&self, queue: &QueueName, best: Option<Priority>) -> bool {
        let mut queues = self.lock();
        match queues.get_mut(queue) {
            Some(known) => std::mem::replace(&mut known.told, best) != best,
            None if best.is_none() => false,
            None => {
                queues.entry(queue.clone()).or_default().told = best;
                true
            }
        }
    }

    /// What was told may not have been heard.
    fn tell_again(&self, queue: &QueueName) {
        if let Some(known) = self.lock().get_mut(queue) {
            known.told = None;
        }
    }

    /// Whether a better one than `priority` waits elsewhere, by what was told within `fresh`.
    fn has_better(&self, queue: &QueueName, priority: Priority, fresh: Duration) -> bool {
        let mut queues = self.lock();
        let Some(known) = queues.get_mut(queue) else {
            return false;
        };
        known.others.retain(|_, (_, at)| at.elapsed() < fresh);
        known.others.values().any(|(other, _)| *other < priority)
    }

    /// Waits until no better one is known, or long enough.
    pub(in crate::worker) async fn let_pass(
        &self,
        queue: &QueueName,
        priority: Priority,
        fresh: Duration,
    ) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Listens first: `notify_waiters` reaches who has called `notified`, also before the first poll.
            let changed = self.changed.notified();
            if !self.has_better(queue, priority, fresh)
                || timeout_at(deadline, changed).await.is_err()
            {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Known>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runner {
    /// Whether a better one waits in another worker.
    pub(in crate::worker) fn has_better(&self, job: &Delivered, rank: usize) -> bool {
        self.steering.order(&job.queue) == QueueOrder::Strict
            && (self.elsewhere).has_better(&job.queue, Priority::ALL[rank], job.ack_wait / 2)
    }

    /// Tells the other workers who waits here, if that is news.
    pub(in crate::worker) async fn tell_best(&self, queue: &QueueName) {
        let is_strict = self.steering.order(queue) == QueueOrder::Strict;
        let best = self.lines.best(queue).filter(|_| is_strict);
        let priority = best.map(|rank| Priority::ALL[rank]);
        if !self.elsewhere.is_news(queue, priority) {
            return;
        }
        let news = News::InLine(InLine {
            priority,
            worker: self.worker.to_string(),
        });
        let body = serde_json::to_vec(&news).unwrap_or_default();
        let sent = async {
            let conn = self.link.lease("tell who waits").await?;
            let control = self.link.names().control(queue);
            let failed = |e| JobsError::connection("tell who waits", e);
            conn.publish(control, body).await.map_err(failed)
        };
        if let Err(error) = sent.await {
            // A third of the lease later it is told again.
            tracing::debug!(%queue, %error, "could not tell the other workers who waits");
        }
    }

    /// As [`Self::tell_best`], also if it is no news: it may not have been heard.
    pub(in crate::worker) async fn tell_best_again(&self, queue: &QueueName) {
        self.elsewhere.tell_again(queue);
        self.tell_best(queue).await;
    }

    /// Another worker has told who waits there.
    pub(in crate::worker) fn on_in_line(&self, queue: &QueueName, told: InLine) {
        if told.worker != *self.worker {
            self.elsewhere.heard(queue, told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const FRESH: Duration = Duration::from_secs(10);

    fn mail() -> QueueName {
        QueueName::new("mail").unwrap()
    }

    fn told(worker: &str, priority: Option<Priority>) -> InLine {
        InLine {
            worker: worker.to_owned(),
            priority,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_better_one_is_let_pass_until_it_has_gone_or_for_a_while() {
        let (elsewhere, queue) = (Elsewhere::default(), mail());
        elsewhere.heard(&queue, told("a", Some(Priority::Normal)));
        for not_worse in [Priority::High, Priority::Normal] {
            let passes = elsewhere.let_pass(&queue, not_worse, FRESH);
            assert!(passes.now_or_never().is_some(), "{not_worse:?}");
        }
        let passes = elsewhere.let_pass(&queue, Priority::Low, FRESH);
        tokio::pin!(passes);
        assert!(passes.as_mut().now_or_never().is_none());
        elsewhere.heard(&queue, told("b", Some(Priority::Low)));
        assert!(passes.as_mut().now_or_never().is_none());
        elsewhere.heard(&queue, told("a", None));
        assert!(passes.as_mut().now_or_never().is_some());
        elsewhere.heard(&queue, told("c", Some(Priority::High)));
        let begun = Instant::now();
        elsewhere.let_pass(&queue, Priority::Low, FRESH).await;
        assert_eq!(begun.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_worker_has_told_is_forgotten_and_bounded() {
        let (elsewhere, queue) = (Elsewhere::default(), mail());
        for worker in 0..2 * MOST {
            elsewhere.heard(&queue, told(&worker.to_string(), Some(Priority::High)));
        }
        assert_eq!(elsewhere.lock()[&queue].others.len(), MOST);
        tokio::time::advance(FRESH).await;
        assert!(!elsewhere.has_better(&queue, Priority::Low, FRESH));
        assert!(elsewhere.lock()[&queue].others.is_empty());
    }

    #[test]
    fn only_changes_are_told() {
        let (elsewhere, queue) = (Elsewhere::default(), mail());
        let best = [
            None,
            Some(Priority::Low),
            Some(Priority::Low),
            Some(Priority::High),
            None,
        ];
        let news = best.map(|best| elsewhere.is_news(&queue, best));
        assert_eq!(news, [false, true, false, true, true]);
    }
}

//! Takes facts from everywhere in the process, and wakes whoever sends them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use naq_config::settings::{EventFilters, EventsSettings};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::EventType;
use super::batch::Batch;
use super::buffer::{Buffer, Pushed, Taken};
use super::fact::Fact;

/// Takes facts. Does nothing at all if events are not enabled.
///
/// When the last one is dropped, [`Pipe::stopped`] fires: whoever sends sends the rest, and ends.
#[derive(Debug)]
pub(crate) struct Recorder(Option<Source>);

#[derive(Debug)]
struct Source {
    pipe: Arc<Pipe>,
    /// The task that sends.
    tasks: TaskTracker,
    _stop: DropGuard,
}

/// What the recorder and the sender share.
#[derive(Debug)]
pub(crate) struct Pipe {
    buffer: Mutex<Buffer>,
    filters: EventFilters,
    /// Rings for the first event after a flush, and for each full batch.
    wake: Notify,
    stop: CancellationToken,
    /// Rings when somebody waits for a flush.
    asked: Notify,
    /// Rings when one is over.
    flushed: Notify,
}

impl Recorder {
    pub(crate) fn new(settings: &EventsSettings) -> Self {
        Self(settings.enabled.then(|| {
            let stop = CancellationToken::new();
            let pipe = Arc::new(Pipe {
                buffer: Mutex::new(Buffer::new(settings.batch_size, settings.max_buffer_size)),
                filters: settings.filters.clone(),
                wake: Notify::new(),
                stop: stop.clone(),
                asked: Notify::new(),
                flushed: Notify::new(),
            });
            Source {
                pipe,
                tasks: TaskTracker::new(),
                _stop: stop.drop_guard(),
            }
        }))
    }

    /// Whether anybody is interested; asked before something is worked out for a fact alone.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a fact in.
    pub(crate) fn tell(&self, fact: &Fact<'_>) {
        if let Some(source) = &self.0 {
            source.pipe.tell(fact);
        }
    }

    /// The least that an attempt has to take for its start and end to be told.
    pub(crate) fn least_duration(&self) -> Duration {
        self.0
            .as_ref()
            .map_or(Duration::MAX, |source| source.pipe.filters.min_job_duration)
    }

    /// Starts the task that sends, once.
    pub(crate) fn start<Fut>(&self, send: impl FnOnce(Arc<Pipe>) -> Fut)
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        if let Some(source) = &self.0
            && source.tasks.is_empty()
        {
            source.tasks.spawn(send(Arc::clone(&source.pipe)));
        }
    }

    /// Sends what there is, and waits for it at most `within`. Whether all of it is sent.
    pub(crate) async fn flush(&self, within: Duration) -> bool {
        let Some(source) = &self.0 else {
            return true;
        };
        let flushed = source.pipe.flushed.notified();
        source.pipe.asked.notify_one();
        tokio::time::timeout(within, flushed).await.is_ok()
    }

    /// Sends the rest and ends the task, at most `within`.
    pub(crate) async fn stop(&self, within: Duration) {
        if let Some(Source { pipe, tasks, .. }) = &self.0 {
            tasks.close();
            pipe.stop.cancel();
            if tokio::time::timeout(within, tasks.wait()).await.is_err() {
                tracing::debug!("events are left unsent: the server does not take them");
            }
        }
    }
}

impl Pipe {
    /// Takes a fact in, unless it is filtered out.
    pub(crate) fn tell(&self, fact: &Fact<'_>) {
        if fact.event_type == EventType::WorkerHeartbeat && self.filters.exclude_heartbeats {
            return;
        }
        let pushed = self.lock().push(fact);
        if pushed != Pushed::Waits {
            self.wake.notify_one();
        }
    }

    /// Takes out what is to be sent: full batches, or with `all` everything.
    pub(crate) fn take(&self, all: bool) -> Taken {
        let mut buffer = self.lock();
        let lost = buffer.take_dropped();
        if lost > 0 {
            let mut gap = Fact::now(EventType::Gap);
            gap.lost = Some(lost);
            buffer.push(&gap);
        }
        buffer.take(all)
    }

    /// Puts back what could not be sent.
    pub(crate) fn put_back(&self, batches: Vec<Batch>) {
        self.lock().put_back(batches);
    }

    /// Completes when something may be ready.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Completes when somebody wants a flush.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Completes when nobody records any more.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Says that everything that was there is sent.
    pub(crate) fn all_sent(&self) {
        self.flushed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

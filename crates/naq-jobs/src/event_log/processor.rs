//! Processors: handlers of a program's own that get each event, also after a restart.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::feed::{Feed, newest};
use super::filter::EventFilter;
use super::handlers::Handlers;
use super::session::{Plan, Start, remove};
use crate::events::{Event, EventType, read_batch};
use crate::server::Link;
use crate::{JobsError, JobsErrorKind};

/// Describes a processor of events.
///
/// A handler that fails or takes longer than ten seconds is called three times; then there is a warning and the next
/// event. One that panics is caught. No job is touched by it. Each event comes at least once: [`Event::id`] tells one
/// that comes again after a crash.
///
/// ```no_run
/// use naq_jobs::EventType;
///
/// # async fn example(jobs: naq_jobs::Jobs) -> Result<(), naq_jobs::JobsError> {
/// let alerts = jobs
///     .events()
///     .processor("alerts")?
///     .on(EventType::Failed, async |event| {
///         eprintln!("{:?} failed", event.job_id());
///         Ok::<_, std::io::Error>(())
///     })
///     .start()
///     .await?;
/// # alerts.stop(std::time::Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[must_use = "a processor does nothing before `start`"]
pub struct EventProcessor {
    link: Link,
    name: String,
    filter: EventFilter,
    is_from_start: bool,
    handlers: Handlers,
}

/// A processor at work. Dropping it ends it at once; [`Self::stop`] lets it finish the event that it is at.
pub struct RunningProcessor {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    handlers: Arc<Handlers>,
}

/// What a processor did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProcessorReport {
    /// Calls of handlers that succeeded.
    pub handled: u64,
    /// Calls that were given up.
    pub failed: u64,
}

impl EventProcessor {
    pub(super) fn new(link: Link, name: String) -> Result<Self, JobsError> {
        naq_config::names::check_pool_name(&name).map_err(|_| {
            let rule = "1 to 64 of `A-Z a-z 0-9 _ -`";
            let text = format!("name a processor `{}`: it is {rule}", name.escape_debug());
            JobsError::new(JobsErrorKind::InvalidName, text)
        })?;
        Ok(Self {
            link,
            name,
            filter: EventFilter::new(),
            is_from_start: false,
            handlers: Handlers::default(),
        })
    }

    /// Which events it gets; default: all. It holds from the first start of this name on.
    pub fn filter(mut self, filter: EventFilter) -> Self {
        self.filter = filter;
        self
    }

    /// The first start of this name begins with the oldest event that is kept; default: with those to come.
    pub fn from_start(mut self) -> Self {
        self.is_from_start = true;
        self
    }

    /// Adds a handler for one type.
    pub fn on<F, Fut, E>(mut self, event_type: EventType, handler: F) -> Self
    where
        F: Fn(Arc<Event>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        self.handlers.add(Some(event_type), handler);
        self
    }

    /// Adds a handler for all types.
    pub fn on_all<F, Fut, E>(mut self, handler: F) -> Self
    where
        F: Fn(Arc<Event>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        self.handlers.add(None, handler);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps); [`JobsErrorKind::Server`].
    pub async fn start(self) -> Result<RunningProcessor, JobsError> {
        let start = match self.is_from_start {
            true => 1,
            false => newest(&self.link).await? + 1,
        };
        let settings = &self.link.settings().events;
        let plan = Plan {
            stream: self.link.names().events_stream(settings),
            filters: self.filter.subjects(self.link.names(), settings),
            durable: Some(consumer(&self.name)),
            is_bounded: false,
        };
        let mut feed = Feed::new(self.link.clone(), plan, Start::Sequence(start));
        feed.prepare().await?;
        let (stop, handlers) = (CancellationToken::new(), Arc::new(self.handlers));
        let mut tasks = JoinSet::new();
        let work = work(
            feed,
            self.name,
            self.filter,
            Arc::clone(&handlers),
            stop.clone(),
        );
        tasks.spawn(work);
        Ok(RunningProcessor {
            tasks,
            stop,
            handlers,
        })
    }

    /// Forgets where processors of this name were; `false` if there was none. None of them should run now.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn forget(self) -> Result<bool, JobsError> {
        let conn = self.link.lease("remove a processor").await?;
        let stream = self
            .link
            .names()
            .events_stream(&self.link.settings().events);
        remove(&conn, &stream, &consumer(&self.name)).await
    }
}

fn consumer(name: &str) -> String {
    format!("naq-events-{name}")
}

/// Handles one message after the other until it is told to stop.
async fn work(
    mut feed: Feed,
    name: String,
    filter: EventFilter,
    handlers: Arc<Handlers>,
    stop: CancellationToken,
) {
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            next = feed.next() => next,
        };
        let item = match next {
            Ok(Some(item)) => item,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(processor = name, %error, "a processor of events has ended");
                return;
            }
        };
        let events = read_batch(&item.body, item.sequence);
        for event in events.into_iter().filter(|event| filter.wants(event)) {
            if stop.is_cancelled() {
                // The rest of the batch comes again.
                return;
            }
            feed.answer(&item.reply, "+WPI").await;
            handlers.handle(&name, event).await;
        }
        feed.answer(&item.reply, "+ACK").await;
    }
}

impl RunningProcessor {
    /// What it did so far.
    pub fn report(&self) -> ProcessorReport {
        ProcessorReport {
            handled: self.handlers.handled.load(Ordering::Relaxed),
            failed: self.handlers.failed.load(Ordering::Relaxed),
        }
    }

    /// Stops: lets it finish the event that it is at, for at most `grace`.
    pub async fn stop(mut self, grace: Duration) -> ProcessorReport {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, ended).await.is_err() {
            self.tasks.abort_all();
        }
        self.report()
    }
}

impl fmt::Debug for EventProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventProcessor")
            .field("name", &self.name)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RunningProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningProcessor")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

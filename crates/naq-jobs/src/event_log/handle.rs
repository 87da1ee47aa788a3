//! The events of all jobs and workers: [`Events`].

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::feed::newest;
use super::filter::EventFilter;
use super::history::{self, JobHistory};
use super::processor::EventProcessor;
use super::session::Start;
use super::stats::{self, EventStats, StatsBy};
use super::stream::EventStream;
use crate::events::Event;
use crate::model::JobId;
use crate::server::Link;
use crate::{JobsError, JobsErrorKind};

/// Messages that are looked through for the most recent events.
const RECENT: u64 = 2_000;

/// Messages that are looked through first: a batch has many.
const FEW: u64 = 32;

/// What has happened to jobs, workers and schedules. A cheap handle.
///
/// Events are news: no job waits for one, and losing one changes nothing. They are sent in batches, at the latest
/// `events.flush_interval` after they were told, and kept for `events.stream.max_age`.
///
/// ```no_run
/// use naq_jobs::{EventFilter, EventType};
///
/// # async fn example(jobs: naq_jobs::Jobs) -> Result<(), naq_jobs::JobsError> {
/// let mut failures = jobs.events().live(EventFilter::new().types([EventType::Failed])).await?;
/// while let Some(event) = failures.next().await? {
///     println!("{:?} failed: {:?}", event.job_id(), event.body.error);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Events {
    link: Link,
}

impl Events {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// The events from now on. When this returns, what is told afterwards is not missed.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] for a filter that can match nothing; [`JobsErrorKind::Connection`] (a retry helps);
    /// [`JobsErrorKind::Server`].
    pub async fn live(&self, filter: EventFilter) -> Result<EventStream, JobsError> {
        check(&filter)?;
        let start = Start::Sequence(newest(&self.link).await? + 1);
        let stream = EventStream::new(&self.link, filter, start, false);
        stream.prepared().await
    }

    /// The events from `sequence` on, and then those that come. With [`Event::sequence`] plus one of the last event
    /// that was seen, nothing is missed in between; with 1, it is everything that is kept.
    ///
    /// # Errors
    /// As [`Self::live`].
    pub async fn follow(
        &self,
        sequence: u64,
        filter: EventFilter,
    ) -> Result<EventStream, JobsError> {
        check(&filter)?;
        let stream = EventStream::new(&self.link, filter, Start::Sequence(sequence), false);
        stream.prepared().await
    }

    /// The stored events from `since` on, by the server's time of storing them; it ends where the stream ends.
    ///
    /// # Errors
    /// As [`Self::live`].
    pub async fn replay(
        &self,
        since: SystemTime,
        filter: EventFilter,
    ) -> Result<EventStream, JobsError> {
        check(&filter)?;
        let stream = EventStream::new(&self.link, filter, Start::Time(since), true);
        stream.prepared().await
    }

    /// The last events, at most `limit`, the oldest first. Looked for in the last 2,000 messages of the stream.
    ///
    /// # Errors
    /// As [`Self::live`].
    pub async fn recent(&self, limit: usize, filter: EventFilter) -> Result<Vec<Event>, JobsError> {
        check(&filter)?;
        let newest = newest(&self.link).await?;
        let mut back = FEW;
        loop {
            let start = newest.saturating_sub(back - 1).max(1);
            let found = self.last_from(start, limit, filter.clone()).await?;
            if found.len() >= limit || back >= RECENT || start == 1 {
                return Ok(found);
            }
            back = (back * 8).min(RECENT);
        }
    }

    /// The last `limit` of the events that are stored from the sequence `start` on.
    async fn last_from(
        &self,
        start: u64,
        limit: usize,
        filter: EventFilter,
    ) -> Result<Vec<Event>, JobsError> {
        let mut stream = EventStream::new(&self.link, filter, Start::Sequence(start), true);
        let mut kept = VecDeque::new();
        while let Some(event) = stream.next().await? {
            if kept.len() == limit.max(1) {
                kept.pop_front();
            }
            kept.push_back(event);
        }
        kept.truncate(limit);
        Ok(kept.into())
    }

    /// What has happened to a job, in its order. Says whether that is all: of a job that is long ago, or among a great
    /// many others, a part may be missing.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn history(&self, job: &JobId) -> Result<JobHistory, JobsError> {
        history::read(&self.link, job).await
    }

    /// How much has happened in the last `hours` (at least 1; the current hour counts as one), added up by `by`. Read
    /// from counters: as fast for a million jobs as for one.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn stats(&self, hours: u32, by: &[StatsBy]) -> Result<EventStats, JobsError> {
        stats::read(&self.link, hours, by).await
    }

    /// Describes a processor: handlers that get each event, and go on where they were after a restart. `name` is 1 to 64
    /// of `A-Z a-z 0-9 _ -`; processors of one name share the events between them.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`].
    pub fn processor(&self, name: impl Into<String>) -> Result<EventProcessor, JobsError> {
        EventProcessor::new(self.link.clone(), name.into())
    }

    /// Sends what this process has told so far, and waits for it at most `within`; whether it is stored. For tests and
    /// programs that end; otherwise it is sent by itself.
    pub async fn flush(&self, within: Duration) -> bool {
        self.link.events().flush(within).await
    }
}

fn check(filter: &EventFilter) -> Result<(), JobsError> {
    match filter.impossible() {
        None => Ok(()),
        Some(part) => Err(JobsError::new(
            JobsErrorKind::InvalidName,
            format!("filter events by `{part}`: that is no name of a queue, kind, worker or job"),
        )),
    }
}

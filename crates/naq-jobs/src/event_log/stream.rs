//! Events one after the other, as they come or as they are stored.

use std::collections::VecDeque;
use std::fmt;
use std::time::SystemTime;

use super::feed::Feed;
use super::filter::EventFilter;
use super::session::{Plan, Start};
use crate::JobsError;
use crate::events::{Event, read_batch};
use crate::server::Link;

/// Events in the order of their messages: each once, none left out, over reconnects and lost consumers, as long as the
/// stream has them. Dropping it ends it.
pub struct EventStream {
    feed: Feed,
    filter: EventFilter,
    ready: VecDeque<Event>,
    /// No event after this.
    until: Option<SystemTime>,
}

impl EventStream {
    pub(super) fn new(link: &Link, filter: EventFilter, start: Start, is_bounded: bool) -> Self {
        let settings = &link.settings().events;
        let plan = Plan {
            stream: link.names().events_stream(settings),
            filters: filter.subjects(link.names(), settings),
            durable: None,
            is_bounded,
        };
        Self {
            feed: Feed::new(link.clone(), plan, start),
            filter,
            ready: VecDeque::new(),
            until: None,
        }
    }

    /// Leaves out what was told after `time`, by the clock of who told it.
    #[must_use]
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    pub(super) async fn prepared(mut self) -> Result<Self, JobsError> {
        self.feed.prepare().await?;
        Ok(self)
    }

    /// The next event; `None` at the end of what is stored (a live stream has none).
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Server`] if reading is refused; of a replay also [`crate::JobsErrorKind::Connection`]
    /// after three request timeouts (a retry helps). A live stream waits for the server instead.
    ///
    /// # Cancel safety
    /// Safe: no event is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Event>, JobsError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(item) = self.feed.next().await? else {
                return Ok(None);
            };
            if !self.filter.may_be_in(&item.body) {
                continue;
            }
            let events = read_batch(&item.body, item.sequence).into_iter();
            let in_time = |event: &Event| self.until.is_none_or(|until| event.at() <= until);
            let wanted = events.filter(|event| self.filter.wants(event) && in_time(event));
            self.ready.extend(wanted);
        }
    }

    /// All that is left, of a stream with an end; at most `limit`.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn collect(&mut self, limit: usize) -> Result<Vec<Event>, JobsError> {
        let mut events = Vec::new();
        while events.len() < limit
            && let Some(event) = self.next().await?
        {
            events.push(event);
        }
        Ok(events)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

//! Which events are wanted: filters for the server, and a sieve for what it cannot tell apart.

use naq_config::settings::EventsSettings;

use crate::events::{Event, EventType};
use crate::wire::Names;

/// Which events are wanted; without more, all.
///
/// ```
/// use naq_jobs::{EventFilter, EventType};
///
/// let failures = EventFilter::new().types([EventType::Failed]).queue("mail");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    types: Vec<EventType>,
    queue: Option<String>,
    kind: Option<String>,
    worker: Option<String>,
    job: Option<String>,
}

impl EventFilter {
    /// All events.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these types; none means all.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.types.extend(types);
        self.types.sort_unstable();
        self.types.dedup();
        self
    }

    /// Only those of this queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Only those of jobs of this kind.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Only those of this worker.
    #[must_use]
    pub fn worker(mut self, id: impl Into<String>) -> Self {
        self.worker = Some(id.into());
        self
    }

    /// Only those of this job. Where events are many, they share messages: then the reader gets them all and picks.
    #[must_use]
    pub fn job(mut self, id: impl Into<String>) -> Self {
        self.job = Some(id.into());
        self
    }

    /// The first part that is no single token of a subject, and so can match nothing.
    pub(super) fn impossible(&self) -> Option<&str> {
        let parts = [&self.queue, &self.kind, &self.worker, &self.job];
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        parts
            .into_iter()
            .flatten()
            .map(String::as_str)
            .find(|part| part.is_empty() || !part.chars().all(allowed))
    }

    /// The filters for the server, which do not overlap.
    pub(super) fn subjects(&self, names: &Names, settings: &EventsSettings) -> Vec<String> {
        let types: Vec<&str> = match self.types.is_empty() {
            true => vec!["*"],
            false => self.types.iter().map(|known| known.as_str()).collect(),
        };
        let jobs: Vec<&str> = match self.job.as_deref() {
            None => vec!["*"],
            Some("_") => vec!["_"],
            Some(job) => vec![job, "_"],
        };
        let any = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        let (queue, kind, worker) = (any(&self.queue), any(&self.kind), any(&self.worker));
        let each = types.iter().flat_map(|known| {
            let subject = |job: &&str| names.event(settings, [known, &queue, &kind, &worker, job]);
            jobs.iter().map(subject).collect::<Vec<_>>()
        });
        each.collect()
    }

    /// Whether a message may have something that is wanted; cheaper than reading it.
    pub(super) fn may_be_in(&self, body: &[u8]) -> bool {
        let job = self.job.as_deref();
        job.is_none_or(|job| std::str::from_utf8(body).is_ok_and(|text| text.contains(job)))
    }

    /// Whether an event is wanted.
    pub(super) fn wants(&self, event: &Event) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        (self.types.is_empty() || self.types.contains(&event.event_type))
            && same(&self.queue, event.queue.as_deref())
            && same(&self.kind, event.kind.as_deref())
            && same(&self.worker, event.worker.as_deref())
            && same(&self.job, event.job_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_a_filter_of_the_server() {
        let subjects =
            |filter: EventFilter| filter.subjects(&Names::new("naq"), &EventsSettings::default());
        assert_eq!(subjects(EventFilter::new()), ["naq.event.*.*.*.*.*"]);
        let filter = EventFilter::new()
            .types([EventType::Failed, EventType::Started, EventType::Failed])
            .kind("mail.send");
        assert_eq!(
            subjects(filter),
            [
                "naq.event.started.*.mail~send.*.*",
                "naq.event.failed.*.mail~send.*.*"
            ]
        );
        let filter = EventFilter::new().job("a-1").queue("q").worker("w");
        assert_eq!(
            subjects(filter),
            ["naq.event.*.q.*.w.a-1", "naq.event.*.q.*.w._"]
        );
        assert_eq!(EventFilter::new().queue("a b").impossible(), Some("a b"));
        assert_eq!(EventFilter::new().worker(">").impossible(), Some(">"));
    }
}

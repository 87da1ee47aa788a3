//! Every stream, subject and consumer name is built here and nowhere else.

use naq_config::settings::EventsSettings;

use crate::model::{JobId, QueueName, ScheduleName};

/// The names under one prefix (`queues.prefix`), so that several tenants can share a server.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// Jobs that wait, run, or will come.
    pub(crate) fn jobs_stream(&self) -> String {
        format!("{}_jobs", self.prefix)
    }

    /// Final states.
    pub(crate) fn results_stream(&self) -> String {
        format!("{}_results", self.prefix)
    }

    /// Dead letters.
    pub(crate) fn dead_stream(&self) -> String {
        format!("{}_failed_jobs", self.prefix)
    }

    /// Live workers.
    pub(crate) fn workers_stream(&self) -> String {
        format!("{}_workers", self.prefix)
    }

    /// Subjects of [`Self::jobs_stream`], exact, so that a wrong one has no stream.
    pub(crate) fn jobs_subjects(&self) -> Vec<String> {
        vec![
            self.all_queues(),
            self.all_schedules(),
            self.all_recurring(),
            format!("{}.arm.*", self.prefix),
            self.fires_filter(),
        ]
    }

    /// Where a job waits.
    pub(crate) fn job(&self, queue: &QueueName, id: &JobId) -> String {
        format!("{}.queue.{queue}.{id}", self.prefix)
    }

    /// Where a delayed job or a retry sleeps.
    pub(crate) fn schedule(&self, queue: &QueueName, id: &JobId) -> String {
        format!("{}.schedule.{queue}.{id}", self.prefix)
    }

    /// All jobs that wait or run, of all queues.
    pub(crate) fn all_queues(&self) -> String {
        format!("{}.queue.*.*", self.prefix)
    }

    /// All jobs that are due later.
    pub(crate) fn all_schedules(&self) -> String {
        format!("{}.schedule.*.*", self.prefix)
    }

    /// What is known of a recurring schedule.
    pub(crate) fn recurring(&self, name: &ScheduleName) -> String {
        format!("{}.recurring.{name}", self.prefix)
    }

    /// All recurring schedules.
    pub(crate) fn all_recurring(&self) -> String {
        format!("{}.recurring.*", self.prefix)
    }

    /// Where the next firing of a recurring schedule sleeps.
    pub(crate) fn arm(&self, name: &ScheduleName) -> String {
        format!("{}.arm.{name}", self.prefix)
    }

    /// Where a firing of a recurring schedule waits for a worker.
    pub(crate) fn fire(&self, name: &ScheduleName) -> String {
        format!("{}.fire.{name}", self.prefix)
    }

    /// All firings.
    pub(crate) fn fires_filter(&self) -> String {
        format!("{}.fire.*", self.prefix)
    }

    /// The schedule of a subject of [`Self::recurring`] or [`Self::fire`].
    pub(crate) fn parse_schedule(subject: &str) -> Option<ScheduleName> {
        ScheduleName::new(subject.rsplit('.').next()?).ok()
    }

    /// All waiting jobs of a queue.
    pub(crate) fn queue_filter(&self, queue: &QueueName) -> String {
        format!("{}.queue.{queue}.*", self.prefix)
    }

    /// The durable consumer that all workers of a queue share.
    pub(crate) fn consumer(queue: &QueueName) -> String {
        format!("naq-worker-{queue}")
    }

    /// The durable consumer of all firings, shared by all workers.
    pub(crate) const FIRES_CONSUMER: &'static str = "naq-schedules";

    /// Where the outcome of a job is recorded.
    pub(crate) fn result(&self, id: &JobId) -> String {
        format!("{}.result.{id}", self.prefix)
    }

    /// Where a waiter writes to be sure that it has missed nothing; in the stream of the outcomes.
    pub(crate) fn barrier(&self) -> String {
        format!("{}.barrier", self.prefix)
    }

    /// Where the workers of a queue hear that something about it has changed; not stored.
    pub(crate) fn control(&self, queue: &QueueName) -> String {
        format!("{}.control.{queue}", self.prefix)
    }

    /// All outcomes.
    pub(crate) fn result_filter(&self) -> String {
        format!("{}.result.*", self.prefix)
    }

    /// Where a dead letter lies.
    pub(crate) fn dead(&self, queue: &QueueName, id: &JobId) -> String {
        format!("{}.failed.{queue}.{id}", self.prefix)
    }

    /// The dead letter of a job, whatever its queue.
    pub(crate) fn dead_of(&self, id: &JobId) -> String {
        format!("{}.failed.*.{id}", self.prefix)
    }

    /// All dead letters, or those of one queue.
    pub(crate) fn dead_filter(&self, queue: Option<&QueueName>) -> String {
        match queue {
            Some(queue) => format!("{}.failed.{queue}.*", self.prefix),
            None => format!("{}.failed.*.*", self.prefix),
        }
    }

    /// The record of a worker.
    pub(crate) fn worker(&self, id: &str) -> String {
        format!("{}.worker.{id}", self.prefix)
    }

    /// All workers.
    pub(crate) fn worker_filter(&self) -> String {
        format!("{}.worker.*", self.prefix)
    }

    /// What has happened; `events.stream.name` may say otherwise.
    pub(crate) fn events_stream(&self, settings: &EventsSettings) -> String {
        let name = settings.stream.name.clone();
        name.unwrap_or_else(|| format!("{}_events", self.prefix))
    }

    /// Subjects of events, by type, queue, kind, worker and job; `*` stands for any. A dot in a kind is a `~` here.
    pub(crate) fn event(&self, settings: &EventsSettings, parts: [&str; 5]) -> String {
        let own = settings.subject_prefix.as_deref();
        let mut subject = own.map_or_else(|| format!("{}.event", self.prefix), str::to_owned);
        for part in parts {
            subject.push('.');
            subject.push_str(&part.replace('.', "~"));
        }
        subject
    }

    /// How much has happened, by hour.
    pub(crate) fn counters_stream(&self) -> String {
        format!("{}_counters", self.prefix)
    }

    /// A counter: the hour, counted from 1970, what is counted, queue, kind and worker; `*` stands for any.
    pub(crate) fn counter(&self, parts: [&str; 5]) -> String {
        let [hour, what, queue, kind, worker] = parts;
        let kind = kind.replace('.', "~");
        format!(
            "{}.count.{hour}.{what}.{queue}.{kind}.{worker}",
            self.prefix
        )
    }

    /// Hour, what is counted, queue, kind and worker of a subject of [`Self::counter`].
    pub(crate) fn parse_counter(subject: &str) -> Option<[String; 5]> {
        let mut parts: Vec<String> = subject.rsplitn(6, '.').take(5).map(str::to_owned).collect();
        parts.reverse();
        let mut parts: [String; 5] = parts.try_into().ok()?;
        parts[3] = parts[3].replace('~', ".");
        Some(parts)
    }

    /// Queue and id of a job or dead letter subject. `None` if the parts are not ours.
    pub(crate) fn parse(subject: &str) -> Option<(QueueName, JobId)> {
        let mut parts = subject.rsplitn(3, '.');
        let id = JobId::new(parts.next()?).ok()?;
        let queue = QueueName::new(parts.next()?).ok()?;
        Some((queue, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_subject_is_read_back() {
        let (queue, id) = (QueueName::new("mail").unwrap(), JobId::new("a-1").unwrap());
        let subject = Names::new("t1").job(&queue, &id);
        assert_eq!(subject, "t1.queue.mail.a-1");
        assert_eq!(Names::parse(&subject), Some((queue, id)));
        assert_eq!(Names::parse("t1.queue.mail.bad id"), None);
    }
}

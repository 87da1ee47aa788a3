//! Every stream, subject and consumer name is built here and nowhere else.

use crate::model::{JobId, QueueName, ScheduleName};

/// The names under one prefix (`queues.prefix`), so that several tenants can share a server.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

/// What it means that a job's message is where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It waits or runs.
    Queue,
    /// It is due later.
    Later,
    /// It was set aside.
    Parked,
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

    /// Where the workers hear that a job is cancelled; not stored.
    pub(crate) fn cancel(&self, id: &JobId) -> String {
        format!("{}.cancel.{id}", self.prefix)
    }

    /// All cancels.
    pub(crate) fn cancel_filter(&self) -> String {
        format!("{}.cancel.*", self.prefix)
    }

    /// The job of a subject of [`Self::cancel`].
    pub(crate) fn parse_cancel(subject: &str) -> Option<JobId> {
        JobId::new(subject.rsplit('.').next()?).ok()
    }

    /// What the subject of every job of normal priority begins with.
    pub(crate) fn queue_prefix(&self) -> String {
        format!("{}.queue.", self.prefix)
    }

    /// Filters for every place where a message of a job can be.
    pub(crate) fn places(&self, id: &JobId) -> Vec<String> {
        let trees = [
            "queue.*",
            "high.*",
            "low.*",
            "schedule.*",
            "unique.*.*.*",
            "parked.*.*",
        ];
        let filter = |tree: &str| format!("{}.{tree}.{id}", self.prefix);
        trees.into_iter().map(filter).collect()
    }

    /// What the place of a job's message means, and its queue; `None` if the subject is none of [`Self::places`].
    pub(crate) fn place(&self, subject: &str) -> Option<(Place, QueueName)> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        let mut parts = rest.split('.');
        let (tree, queue, third) = (parts.next()?, parts.next()?, parts.next()?);
        let place = match (tree, third) {
            ("queue" | "high" | "low", _) => Place::Queue,
            ("schedule", _) | ("unique", "later") => Place::Later,
            // The marker of a window is no job.
            ("unique", "window") => return None,
            ("unique", _) => Place::Queue,
            ("parked", _) => Place::Parked,
            _ => return None,
        };
        Some((place, QueueName::new(queue).ok()?))
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

    #[test]
    fn the_place_of_a_message_says_what_the_job_does() {
        let names = Names::new("t1");
        let place = |subject: &str| {
            names
                .place(subject)
                .map(|(place, queue)| (place, queue.to_string()))
        };
        for (subject, expected) in [
            ("t1.queue.mail.a", Some(Place::Queue)),
            ("t1.low.mail.a", Some(Place::Queue)),
            ("t1.schedule.mail.a", Some(Place::Later)),
            ("t1.unique.mail.later.k.a", Some(Place::Later)),
            ("t1.unique.mail.normal.k.a", Some(Place::Queue)),
            ("t1.unique.mail.window.k.a", None),
            ("t1.parked.mail.kind-1.a", Some(Place::Parked)),
            ("t1.recurring.mail", None),
            ("other.queue.mail.a", None),
        ] {
            let expected = expected.map(|place| (place, "mail".to_owned()));
            assert_eq!(place(subject), expected, "{subject}");
        }
    }
}

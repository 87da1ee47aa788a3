//! Names of what each job has: its streams, subjects and consumers. Those of one part (`flow_names.rs` and so on) are beside it.
//!
//! Every name is built in these files and nowhere else.

use super::unique::{Place, UniqueSubject};
use crate::model::{JobId, Priority, QueueName};

/// The names under one prefix (`queues.prefix`), so that several tenants can share a server.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(super) prefix: String,
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
            self.all_unique("*"),
            format!("{}.bulk.*", self.prefix),
            self.all_recurring(),
            self.all_arms(),
            self.fires_filter(),
            format!("{}.high.*.*", self.prefix),
            format!("{}.low.*.*", self.prefix),
            format!("{}.parked.*.*.*", self.prefix),
            format!("{}.flow.spec.*.*", self.prefix),
            self.all_flows(),
            self.flow_ends_filter(),
            format!("{}.flow.arm.*.*", self.prefix),
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

    /// Where a job that was delivered under `subject` sleeps.
    pub(crate) fn sleep(&self, subject: &str, queue: &QueueName, id: &JobId) -> String {
        match UniqueSubject::read(subject) {
            Some(unique) => self.unique(&UniqueSubject {
                place: Place::Later,
                ..unique
            }),
            None => self.schedule(queue, id),
        }
    }

    /// How far the bulk `name` has come.
    pub(crate) fn bulk(&self, name: &str) -> String {
        format!("{}.bulk.{name}", self.prefix)
    }

    /// The durable consumer that all workers of a queue share, one for each priority.
    pub(crate) fn consumer(queue: &QueueName, priority: Priority) -> String {
        match priority {
            Priority::High => format!("naq-high-{queue}"),
            Priority::Normal => format!("naq-worker-{queue}"),
            Priority::Low => format!("naq-low-{queue}"),
        }
    }

    /// Where a job of this priority waits.
    pub(crate) fn job_at(&self, queue: &QueueName, id: &JobId, priority: Priority) -> String {
        format!("{}.{queue}.{id}", self.level(priority))
    }

    /// All waiting jobs of a queue that have this priority.
    pub(crate) fn level_filters(&self, queue: &QueueName, priority: Priority) -> Vec<String> {
        let plain = format!("{}.{queue}.*", self.level(priority));
        let place = Place::of(priority);
        let unique = format!("{}.unique.{queue}.{place}.*.*", self.prefix);
        vec![plain, unique]
    }

    fn level(&self, priority: Priority) -> String {
        match priority {
            Priority::High => format!("{}.high", self.prefix),
            Priority::Normal => format!("{}.queue", self.prefix),
            Priority::Low => format!("{}.low", self.prefix),
        }
    }

    /// Who runs a strict job now.
    pub(crate) fn claim(&self, id: &JobId) -> String {
        format!("{}.claim.{id}", self.prefix)
    }

    /// Claim and outcome of a job; always written exactly so, since servers of a cluster compare it as a text.
    pub(crate) fn claim_or_result(&self, id: &JobId) -> String {
        format!("{}.*.{id}", self.prefix)
    }

    /// The subjects of the stream of outcomes.
    pub(crate) fn results_subjects(&self) -> Vec<String> {
        let claims = format!("{}.claim.*", self.prefix);
        vec![self.result_filter(), claims, self.barrier()]
    }

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

    /// The id at the end of the subject of a job, if it is one.
    pub(crate) fn parse_id(subject: &str) -> Option<JobId> {
        JobId::read(subject.rsplit('.').next()?)
    }

    /// Queue and id of a job or dead letter subject. `None` if the parts are not ours.
    pub(crate) fn parse(subject: &str) -> Option<(QueueName, JobId)> {
        if let Some(unique) = UniqueSubject::read(subject) {
            return Some((unique.queue, unique.id));
        }
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
        assert_eq!(Names::parse_id(&subject).unwrap().as_str(), "a-1");
        assert_eq!(Names::parse("t1.queue.mail.bad id"), None);
        assert_eq!(Names::parse_id("t1.queue.mail.bad id"), None);
    }
}

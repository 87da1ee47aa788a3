//! What a worker tells of its jobs and of itself; one call for each hook.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::context::JobContext;
use super::delivery::Delivered;
use super::holds::Hold;
use super::runner::Runner;
use super::tally::Left;
use crate::events::{EventType, Fact, NONE};
use crate::server::{Link, now_ms, unix_ms};
use crate::wire::{FailureReason, JobFailure, WorkerRecord, WorkerStatus};

/// When an attempt began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    at: Instant,
    at_ms: u64,
    wait_ms: Option<u64>,
    /// Its start is told when it is known to be worth it.
    is_held_back: bool,
}

impl Runner {
    /// An attempt begins.
    pub(super) fn tell_started(&self, job: &mut Delivered, context: &JobContext, at_ms: u64) {
        if !self.link.events().is_on() {
            return;
        }
        let enqueued = context.enqueued_at().filter(|_| context.attempt() == 1);
        let begun = Begun {
            at: Instant::now(),
            at_ms,
            wait_ms: enqueued.map(|at| at_ms.saturating_sub(unix_ms(at))),
            is_held_back: self.link.events().least_duration() > Duration::ZERO,
        };
        job.begun = Some(begun);
        if !begun.is_held_back {
            self.tell_start(job, begun);
        }
    }

    fn tell_start(&self, job: &Delivered, begun: Begun) {
        let mut fact = self.fact(EventType::Started, job, begun.at_ms);
        fact.wait_ms = begun.wait_ms;
        self.link.events().tell(&fact);
    }

    /// The attempt has ended, and so did the job's stay here. Failures and retries are told where they are written.
    pub(super) fn tell_left(&self, job: &Delivered, left: Left, hold: &Hold) {
        let event_type = match left {
            Left::Completed => EventType::Completed,
            Left::HandedBack => EventType::HandedBack,
            Left::Parked => EventType::Parked,
            Left::Snoozed => EventType::Snoozed,
            Left::Abandoned if hold.has_lapsed() => EventType::LeaseLost,
            _ => return,
        };
        self.tell_end(job, event_type, |_| {});
    }

    /// The job runs again after `delay`, because of `failure`.
    pub(super) fn tell_retry(&self, job: &Delivered, delay: Duration) {
        let due = now_ms() + u64::try_from(delay.as_millis()).unwrap_or(u64::MAX / 2);
        self.tell_end(job, EventType::RetryScheduled, |fact| {
            fact.due_ms = Some(due);
            if let Some(failure) = &job.failure {
                add_error(fact, failure);
            }
        });
    }

    /// The job runs again after `delay`, and waits for it here.
    pub(super) fn tell_again(&self, job: &Delivered, delay: Duration, is_retry: bool) {
        if is_retry {
            return self.tell_retry(job, delay);
        }
        let due = now_ms() + u64::try_from(delay.as_millis()).unwrap_or(u64::MAX / 2);
        self.tell_end(job, EventType::Snoozed, |fact| fact.due_ms = Some(due));
    }

    /// The job has failed for good, and is in the dead letters.
    pub(super) fn tell_failed(&self, job: &Delivered, failure: &JobFailure) {
        self.tell_end(job, EventType::Failed, |fact| add_error(fact, failure));
        let mut dead = self.fact(EventType::DeadLettered, job, now_ms());
        dead.reason = Some(failure.reason.as_str());
        self.link.events().tell(&dead);
    }

    /// Nobody wants the job any more; whoever cancels it before it gets here tells that.
    pub(super) fn tell_cancelled(&self, job: &Delivered, why: Option<&JobFailure>) {
        let event_type = match why.map(|why| why.reason) {
            Some(FailureReason::Expired) => EventType::Expired,
            _ => EventType::Cancelled,
        };
        self.tell_end(job, event_type, |fact| {
            fact.reason = why.map(|why| why.reason.as_str());
            fact.message = why.map(|why| why.message.as_str());
        });
    }

    /// A limit keeps the job from running: told once for each limit that it meets, however often it is put aside.
    pub(super) fn tell_limited(
        &self,
        job: &Delivered,
        limit: &str,
        key: Option<&str>,
        due: Option<SystemTime>,
    ) {
        if !self.link.events().is_on() {
            return;
        }
        let mut fact = self.fact(EventType::Limited, job, now_ms());
        fact.reason = Some(limit);
        fact.due_ms = due.map(unix_ms);
        fact.details = key.map(|key| serde_json::json!({ "key": key }));
        self.link.events().tell(&fact);
    }

    fn tell_end<'a>(
        &'a self,
        job: &'a Delivered,
        event_type: EventType,
        add: impl FnOnce(&mut Fact<'a>),
    ) {
        let events = self.link.events();
        if !events.is_on() {
            return;
        }
        let took = job.begun.map(|begun| begun.at.elapsed());
        if let (Some(begun), Some(took)) = (job.begun, took)
            && begun.is_held_back
        {
            if event_type == EventType::Completed && took < events.least_duration() {
                return;
            }
            self.tell_start(job, begun);
        }
        let mut fact = self.fact(event_type, job, now_ms());
        if let Some(took) = took {
            fact = fact.took(took);
        }
        add(&mut fact);
        events.tell(&fact);
    }

    fn fact<'a>(&'a self, event_type: EventType, job: &'a Delivered, at_ms: u64) -> Fact<'a> {
        let mut fact = Fact::at(event_type, at_ms);
        fact.queue = job.queue.as_str();
        // A kind that nobody could read has no name that fits a subject.
        fact.kind = job.kind.as_deref().unwrap_or(NONE);
        fact.job_id = Some(job.id.as_str());
        fact.worker = &self.worker;
        fact.attempt = Some(job.attempt());
        fact
    }
}

fn add_error<'a>(fact: &mut Fact<'a>, failure: &'a JobFailure) {
    let name = failure.error_type.as_deref();
    *fact = fact
        .clone()
        .with_error(failure.reason.as_str(), name, &failure.message);
}

/// What a worker has told of itself last.
#[derive(Debug, Default)]
pub(super) struct Signs {
    status: Option<WorkerStatus>,
    beat: Option<Instant>,
}

impl Signs {
    /// The worker has shown itself: tells what has changed, or that it lives, every `beat`.
    pub(super) fn tell(&mut self, link: &Link, record: &WorkerRecord, beat: Duration) {
        let has_changed = self.status.replace(record.status) != Some(record.status);
        let is_due = self.beat.is_none_or(|at| at.elapsed() >= beat);
        if is_due {
            self.beat = Some(Instant::now());
        }
        metrics::gauge!("naq_worker_slots").set(record.concurrency);
        let running = u32::try_from(record.running.len()).unwrap_or(u32::MAX);
        metrics::gauge!("naq_worker_running").set(running);
        match record.status {
            WorkerStatus::Idle if has_changed => {
                tell_worker(link, record, EventType::WorkerIdle, None);
            }
            WorkerStatus::Busy if has_changed => {
                tell_worker(link, record, EventType::WorkerBusy, None);
            }
            _ if is_due => tell_worker(link, record, EventType::WorkerHeartbeat, None),
            _ => {}
        }
    }
}

/// A worker says something of itself.
pub(super) fn tell_worker(
    link: &Link,
    record: &WorkerRecord,
    event_type: EventType,
    error: Option<&str>,
) {
    if !link.events().is_on() {
        return;
    }
    let mut fact = Fact::now(event_type);
    fact.worker = &record.worker_id;
    fact.error = error;
    fact.details = Some(serde_json::json!({
        "hostname": record.hostname,
        "pid": record.pid,
        "queues": record.queues,
        "concurrency": record.concurrency,
        "running": record.running.len(),
        "current_job_id": record.running.first().map(|job| &job.job_id),
    }));
    link.events().tell(&fact);
}

//! A new schedule.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::calendar::Dst;
use super::info::Schedule;
use super::plan::ScheduleChange;
use super::policy::{CatchUp, Overlap};
use super::record::{Record, ScheduleState, VERSION, WireRule};
use super::store::{self, Versioned, commit};
use super::telling::tell_written;
use crate::events::EventType;
use crate::model::{Due, Job, Priority, QueueName, ScheduleName};
use crate::server::{Link, persist};
use crate::wire::encode;
use crate::{JobsError, JobsErrorKind};

/// A schedule before it is created; see [`crate::Jobs::schedule`].
#[derive(Debug)]
#[must_use = "nothing is scheduled before `create`"]
pub struct NewSchedule {
    link: Link,
    job: Result<(QueueName, Box<RawValue>), JobsError>,
    plan: ScheduleChange,
    is_paused: bool,
}

impl NewSchedule {
    pub(crate) fn new<R>(link: Link, job: Job<R>) -> Self {
        let job = prepared(&link, job);
        Self {
            link,
            job,
            plan: ScheduleChange::new(),
            is_paused: false,
        }
    }

    /// At the times of a cron expression; see [`crate::Cron`].
    pub fn cron(mut self, text: impl Into<String>) -> Self {
        self.plan = self.plan.cron(text);
        self
    }

    /// Each `interval`, in whole seconds; the first time one interval after now, or at [`Self::start`].
    pub fn every(mut self, interval: Duration) -> Self {
        self.plan = self.plan.every(interval);
        self
    }

    /// The time zone of the cron expression, a name of the IANA database; default UTC.
    pub fn zone(mut self, name: impl Into<String>) -> Self {
        self.plan = self.plan.zone(name);
        self
    }

    /// What happens when the clocks change; default [`Dst::Once`].
    pub fn dst(mut self, policy: Dst) -> Self {
        self.plan = self.plan.dst(policy);
        self
    }

    /// No firing before this time.
    pub fn start(mut self, time: SystemTime) -> Self {
        self.plan = self.plan.start(time);
        self
    }

    /// No firing after this time.
    pub fn end(mut self, time: SystemTime) -> Self {
        self.plan = self.plan.end(time);
        self
    }

    /// So many jobs in all, then it is finished; default: no limit.
    pub fn repeat(mut self, jobs: u64) -> Self {
        self.plan = self.plan.repeat(jobs);
        self
    }

    /// Fires up to so much later, in whole seconds, at most a day: the same for the same schedule and instant.
    pub fn jitter(mut self, most: Duration) -> Self {
        self.plan = self.plan.jitter(most);
        self
    }

    /// What becomes of missed firings; default [`CatchUp::One`].
    pub fn catch_up(mut self, policy: CatchUp) -> Self {
        self.plan = self.plan.catch_up(policy);
        self
    }

    /// What becomes of a firing while the last job still runs; default [`Overlap::Allow`].
    pub fn overlap(mut self, policy: Overlap) -> Self {
        self.plan = self.plan.overlap(policy);
        self
    }

    /// It is created paused, to be resumed later.
    pub fn paused(mut self) -> Self {
        self.is_paused = true;
        self
    }

    /// Takes all of its plan from `plan`, as a command line has it.
    pub fn plan(mut self, plan: ScheduleChange) -> Self {
        self.plan = plan;
        self
    }

    /// Creates it. When this returns, the server has it and its first firing; from then on the workers do the rest.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidSchedule`] and [`JobsErrorKind::InvalidName`] (a retry does not help);
    /// [`JobsErrorKind::AlreadyExists`]; [`JobsErrorKind::Connection`] and [`JobsErrorKind::OutcomeUnknown`] (a retry
    /// may then find what this call has created).
    ///
    /// # Cancel safety
    /// If the future is dropped, the schedule may or may not have been created.
    pub async fn create(self, name: impl Into<String>) -> Result<Schedule, JobsError> {
        let name = ScheduleName::new(name).map_err(|e| {
            JobsError::new(JobsErrorKind::InvalidName, "name a schedule").because(e)
        })?;
        let (queue, job) = self.job?;
        if !self.plan.has_rule() {
            return Err(JobsError::new(
                JobsErrorKind::InvalidSchedule,
                "plan a schedule: give it a cron expression or an interval",
            ));
        }
        let link = &self.link;
        let deadline = tokio::time::Instant::now() + link.settings().nats.request_timeout * 3;
        let now = persist(link, "create a schedule", deadline, |conn| async move {
            store::now(&conn, link).await
        })
        .await?;
        let mut record = blank(&queue, job, now);
        let table = self.plan.apply(&mut record, now)?;
        if self.is_paused {
            record.state = ScheduleState::Paused;
        } else {
            record.set_next(table.next_after(now).map(|firing| firing.at));
        }
        if record.state == ScheduleState::Finished {
            return Err(JobsError::new(
                JobsErrorKind::InvalidSchedule,
                "plan a schedule: it never fires, its end is too early",
            ));
        }
        let mut versioned = Versioned {
            record,
            sequence: 0,
        };
        if commit(link, &name, &mut versioned, &[], now).await? {
            tell_written(
                link,
                EventType::ScheduleCreated,
                &name,
                &versioned.record,
                &[],
            );
            return Schedule::new(name, versioned.record);
        }
        Err(JobsError::new(
            JobsErrorKind::AlreadyExists,
            format!("create the schedule {name}: there is one of this name; modify or delete it"),
        ))
    }
}

/// The job as the record keeps it: its queue, and the envelope.
fn prepared<R>(link: &Link, job: Job<R>) -> Result<(QueueName, Box<RawValue>), JobsError> {
    if job.id.is_some() || job.due.is_some() || job.unique.is_some() {
        return Err(JobsError::new(
            JobsErrorKind::InvalidSchedule,
            "plan a schedule: its jobs get their ids and times from it and are not unique by a key; \
             for one at a time there is the overlap policy",
        ));
    }
    let is_ranked = job.priority != Priority::Normal || job.limit_key.is_some();
    if is_ranked || !job.headers.is_empty() || matches!(job.expires, Some(Due::At(_))) {
        return Err(JobsError::new(
            JobsErrorKind::InvalidSchedule,
            "plan a schedule: its jobs have neither headers of their own nor a priority or limit key, and expire some time after they were made, \
             not at one moment",
        ));
    }
    let queue = match job.queue.clone() {
        Some(queue) => queue,
        None => QueueName::new(link.settings().queues.default.clone()).map_err(|e| {
            JobsError::new(JobsErrorKind::InvalidName, "use `queues.default`").because(e)
        })?,
    };
    let failed = |e| JobsError::new(JobsErrorKind::InvalidPayload, "write a job").because(e);
    let body = encode(&job, SystemTime::UNIX_EPOCH).map_err(failed)?;
    let envelope = serde_json::from_slice(&body).map_err(failed)?;
    Ok((queue, envelope))
}

/// A record without a plan yet.
fn blank(queue: &QueueName, job: Box<RawValue>, now: Timestamp) -> Record {
    Record {
        v: VERSION,
        state: ScheduleState::Active,
        rule: WireRule::Every {
            seconds: 1,
            anchor_s: now.as_second(),
        },
        start_s: None,
        end_s: None,
        remaining: None,
        jitter_s: 0,
        catch_up: CatchUp::default(),
        overlap: Overlap::default(),
        queue: queue.to_string(),
        job,
        next_s: None,
        runs: 0,
        skipped: 0,
        last: None,
        created_s: now.as_second(),
        turn: 0,
    }
}

//! A new schedule.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::calendar::Dst;
use super::info::Schedule;
use super::plan::ScheduleChange;
use super::policy::{CatchUp, Overlap};
use super::record::{FIRST_VERSION, Record, ScheduleState, Versioned};
use super::rule::WireRule;
use super::store::{self, commit};
use super::telling::tell_written;
use crate::control::use_level;
use crate::enqueue::{queue_of, take_headers};
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
    job: Result<Template, JobsError>,
    plan: ScheduleChange,
    is_paused: bool,
}

impl NewSchedule {
    pub(crate) fn new<R>(link: Link, job: Job<R>) -> Self {
        let job = Template::new(&link, job);
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

    /// Each `interval`, in whole seconds, or from 50 milliseconds on below one second; the first time one interval after now, or at [`Self::start`].
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
        let job = self.job?;
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
        use_level(link, &job.queue, job.priority).await?;
        let mut record = blank(job, now);
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

/// The jobs of a schedule, as its record has them.
#[derive(Debug)]
struct Template {
    queue: QueueName,
    priority: Priority,
    envelope: Box<RawValue>,
    headers: BTreeMap<String, Vec<String>>,
}

impl Template {
    fn new<R>(link: &Link, mut job: Job<R>) -> Result<Self, JobsError> {
        let why = match () {
            () if job.id.is_some() || job.due.is_some() => {
                "its jobs get their ids and times from it"
            }
            () if job.unique.is_some() => {
                "its jobs are not unique by a key; for one at a time there is the overlap policy"
            }
            () if matches!(job.expires, Some(Due::At(_))) => {
                "its jobs expire some time after they were made, not at one moment"
            }
            () => "",
        };
        if !why.is_empty() {
            let context = format!("plan a schedule: {why}");
            return Err(JobsError::new(JobsErrorKind::InvalidSchedule, context));
        }
        let failed = |e| JobsError::new(JobsErrorKind::InvalidPayload, "write a job").because(e);
        let body = encode(&job, SystemTime::UNIX_EPOCH).map_err(failed)?;
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let priority = job.priority;
        for (name, values) in take_headers(&mut job).iter() {
            let values = values.iter().map(|value| value.as_str().to_owned());
            headers.insert(name.to_string(), values.collect());
        }
        Ok(Self {
            queue: queue_of(link, job.queue)?,
            priority,
            envelope: serde_json::from_slice(&body).map_err(failed)?,
            headers,
        })
    }
}

/// A record without a plan yet.
fn blank(job: Template, now: Timestamp) -> Record {
    Record {
        v: FIRST_VERSION,
        state: ScheduleState::Active,
        rule: WireRule::Every {
            seconds: 1,
            millis: 0,
            anchor_s: now.as_second(),
        },
        start_s: None,
        end_s: None,
        remaining: None,
        jitter_s: 0,
        catch_up: CatchUp::default(),
        overlap: Overlap::default(),
        queue: job.queue.to_string(),
        job: job.envelope,
        headers: job.headers,
        next_s: None,
        next_ms: 0,
        runs: 0,
        skipped: 0,
        last: None,
        last_fired: None,
        beat: None,
        created_s: now.as_second(),
        turn: 0,
    }
}

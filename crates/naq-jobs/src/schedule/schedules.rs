//! All schedules: look, pause, resume, change, trigger, delete.

use super::advance::settle_next;
use super::info::Schedule;
use super::plan::ScheduleChange;
use super::record::ScheduleState;
use super::run::Run;
use super::store::{self, Wish, change, decode, disarm, timetable};
use super::telling::tell_schedule;
use crate::events::EventType;
use crate::model::{JobId, ScheduleName};
use crate::server::{Link, delete_sequence, page};
use crate::wire::Names;
use crate::{JobsError, JobsErrorKind};

/// All schedules. A cheap handle.
///
/// Each change is made under compare-and-set: of two at the same time one comes after the other, and none of them is
/// lost. A firing at that moment either comes before the change, or obeys it.
#[derive(Debug, Clone)]
pub struct Schedules {
    link: Link,
}

/// Some schedules, and where to go on.
#[derive(Debug)]
pub struct SchedulePage {
    /// The schedules, those that changed last at the end.
    pub schedules: Vec<Schedule>,
    /// Pass it to [`Schedules::list`] for the next page; `None` at the end.
    pub next: Option<u64>,
}

impl Schedules {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// A schedule; `None` if there is none of this name.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps), [`JobsErrorKind::Corrupt`].
    pub async fn get(&self, name: &ScheduleName) -> Result<Option<Schedule>, JobsError> {
        let conn = self.link.lease("read a schedule").await?;
        let found = store::read(&conn, &self.link, name).await?;
        found
            .map(|found| Schedule::new(name.clone(), found.record))
            .transpose()
    }

    /// At most `limit` schedules (at most 1000), from `from` on: 0, or what the last page said. One that fires while
    /// the pages are read may come twice.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps). A record that is unreadable is left out, with a warning.
    pub async fn list(&self, from: u64, limit: usize) -> Result<SchedulePage, JobsError> {
        let conn = self.link.lease("list the schedules").await?;
        let (names, limit) = (self.link.names(), limit.clamp(1, 1000));
        let filter = names.all_recurring();
        let found = page(&conn, &names.jobs_stream(), &filter, from, limit).await?;
        let read = found.messages.into_iter().filter_map(|stored| {
            let name = Names::parse_schedule(&stored.subject)?;
            let record = decode(&name, &stored.payload);
            match record.and_then(|record| Schedule::new(name, record)) {
                Ok(schedule) => Some(schedule),
                Err(error) => {
                    tracing::warn!(subject = stored.subject, %error, "unreadable schedule");
                    None
                }
            }
        });
        Ok(SchedulePage {
            schedules: read.collect(),
            next: found.next,
        })
    }

    /// Stops a schedule from firing until it is resumed. Pausing a paused one changes nothing.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`]; [`JobsErrorKind::InvalidSchedule`] if it is finished; [`JobsErrorKind::Connection`]
    /// and [`JobsErrorKind::OutcomeUnknown`] (a retry helps).
    pub async fn pause(&self, name: &ScheduleName) -> Result<Schedule, JobsError> {
        let paused = change(
            &self.link,
            name,
            EventType::SchedulePaused,
            |record, _| match record.state {
                ScheduleState::Paused => Ok(Wish::Nothing),
                ScheduleState::Finished => Err(finished(name, "pause")),
                ScheduleState::Active => {
                    record.state = ScheduleState::Paused;
                    record.set_next(None);
                    Ok(Wish::Write(Vec::new()))
                }
            },
        );
        Schedule::new(name.clone(), paused.await?.0.record)
    }

    /// Lets a paused schedule fire again, from now on: what was due meanwhile is not made up.
    ///
    /// # Errors
    /// As [`Self::pause`].
    pub async fn resume(&self, name: &ScheduleName) -> Result<Schedule, JobsError> {
        let resumed = change(
            &self.link,
            name,
            EventType::ScheduleResumed,
            |record, now| match record.state {
                ScheduleState::Active => Ok(Wish::Nothing),
                ScheduleState::Finished => Err(finished(name, "resume")),
                ScheduleState::Paused => {
                    record.state = ScheduleState::Active;
                    settle_next(record, &timetable(name, record)?, now);
                    Ok(Wish::Write(Vec::new()))
                }
            },
        );
        Schedule::new(name.clone(), resumed.await?.0.record)
    }

    /// Changes a schedule. A firing that is due and not handled yet stays due; the next one follows the new plan. A
    /// finished schedule that fires again by the new plan is active again.
    ///
    /// # Errors
    /// As [`Self::pause`], and [`JobsErrorKind::InvalidSchedule`] for an impossible plan.
    pub async fn modify(
        &self,
        name: &ScheduleName,
        plan: &ScheduleChange,
    ) -> Result<Schedule, JobsError> {
        let modified = change(
            &self.link,
            name,
            EventType::ScheduleModified,
            |record, now| {
                let table = plan.apply(record, now)?;
                if record.state == ScheduleState::Finished && record.remaining != Some(0) {
                    record.state = ScheduleState::Active;
                }
                settle_next(record, &table, now);
                Ok(Wish::Write(Vec::new()))
            },
        );
        Schedule::new(name.clone(), modified.await?.0.record)
    }

    /// Makes a job of the schedule now, whatever its state and its overlap policy; says its id. It does not count as a
    /// run.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`]; [`JobsErrorKind::Connection`] and [`JobsErrorKind::OutcomeUnknown`] (a retry may
    /// make a second job).
    pub async fn trigger(&self, name: &ScheduleName) -> Result<JobId, JobsError> {
        let triggered = change(
            &self.link,
            name,
            EventType::ScheduleTriggered,
            |record, now| {
                let run = Run::triggered(name, now).ok_or_else(|| no_job(name))?;
                let runs = vec![run.traced(name, record, true)];
                record.note_last(&runs);
                Ok(Wish::Write(runs))
            },
        );
        let (_, runs) = triggered.await?;
        let made = runs.into_iter().next();
        made.map(|run| run.id).ok_or_else(|| no_job(name))
    }

    /// Removes a schedule; `false` if there was none. Jobs that it has made stay.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn delete(&self, name: &ScheduleName) -> Result<bool, JobsError> {
        let conn = self.link.lease("delete a schedule").await?;
        let (stream, subject) = (
            self.link.names().jobs_stream(),
            self.link.names().recurring(name),
        );
        // By its sequence: a record that was replaced meanwhile is read again. Unreadable ones can be deleted, too.
        while let Some(stored) = crate::server::last_at_leader(&conn, &stream, &subject).await? {
            if !delete_sequence(&conn, &stream, stored.sequence).await? {
                continue;
            }
            if let Ok(record) = decode(name, &stored.payload) {
                disarm(&conn, &self.link, name, record.turn).await;
            }
            tell_schedule(&self.link, EventType::ScheduleCancelled, name, None);
            return Ok(true);
        }
        Ok(false)
    }
}

fn finished(name: &ScheduleName, what: &str) -> JobsError {
    JobsError::new(
        JobsErrorKind::InvalidSchedule,
        format!("{what} the schedule {name}: it has had its last firing; modify it to go on"),
    )
}

fn no_job(name: &ScheduleName) -> JobsError {
    JobsError::new(
        JobsErrorKind::Corrupt,
        format!("name a job of the schedule {name}"),
    )
}

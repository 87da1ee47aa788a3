//! Pause, resume, quiet, scale and limit, from any process.

use super::change::{change_kind, change_queue, change_worker, pause};
use super::telling::{tell_kind, tell_queue};
use super::{KindSetting, QueueSetting, WorkerSetting, kinds, read_queue, read_worker};
use crate::events::EventType;
use crate::model::{KindName, QueueName};
use crate::parked::{Why, release};
use crate::server::Link;
use crate::{JobsError, JobsErrorKind};

/// What an operator changes while jobs run. It is stored, applies to all workers, and reaches them by a push.
///
/// Each change is repeated safely: it is what shall be, not a step.
#[derive(Debug, Clone)]
pub struct Controls {
    link: Link,
    by: Option<String>,
}

impl Controls {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, by: None }
    }

    /// Who makes the changes, for those who look at a pause.
    #[must_use]
    pub fn by(mut self, name: impl Into<String>) -> Self {
        self.by = Some(name.into());
        self
    }

    /// What is set for a queue.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn queue(&self, queue: &QueueName) -> Result<QueueSetting, JobsError> {
        let conn = self.link.lease("read a setting").await?;
        Ok(read_queue(&conn, &self.link, queue).await?.value)
    }

    /// Stops the delivery of the jobs of a queue, at once and for all workers. Those that run go on; jobs can still be enqueued.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn pause_queue(
        &self,
        queue: &QueueName,
        reason: Option<&str>,
    ) -> Result<QueueSetting, JobsError> {
        let mark = pause(self.by.as_deref(), reason);
        change_queue(&self.link, queue, |setting| {
            setting.paused.get_or_insert_with(|| mark.clone());
        })
        .await
        .inspect(|_| tell_queue(&self.link, EventType::Paused, queue))
    }

    /// Delivers the jobs of a queue again.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn resume_queue(&self, queue: &QueueName) -> Result<QueueSetting, JobsError> {
        change_queue(&self.link, queue, |setting| setting.paused = None)
            .await
            .inspect(|_| tell_queue(&self.link, EventType::Resumed, queue))
    }

    /// Changes the limits of a queue: `edit` sets the fields that shall change, and may run several times. The pause and
    /// the priorities in use are not changed this way.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn limit_queue(
        &self,
        queue: &QueueName,
        edit: impl Fn(&mut QueueSetting),
    ) -> Result<QueueSetting, JobsError> {
        change_queue(&self.link, queue, |setting| {
            let (paused, levels) = (setting.paused.clone(), setting.levels.clone());
            edit(setting);
            (setting.paused, setting.levels) = (paused, levels);
        })
        .await
    }

    /// Gives each worker of a queue so many slots, also those that start later; `None` leaves it to them.
    /// A worker keeps one slot for each of its queues, whatever is asked.
    ///
    /// # Errors
    /// [`JobsErrorKind::Configuration`] unless it is 1 to 1000, [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn scale_queue(
        &self,
        queue: &QueueName,
        slots: Option<u32>,
    ) -> Result<QueueSetting, JobsError> {
        check_slots(slots)?;
        change_queue(&self.link, queue, |setting| setting.scale = slots).await
    }

    /// What is set for all kinds.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn kinds(&self) -> Result<Vec<KindSetting>, JobsError> {
        let conn = self.link.lease("read the settings").await?;
        let found = kinds(&conn, &self.link).await?;
        Ok(found.into_iter().map(|kind| kind.value).collect())
    }

    /// Lets the jobs of a kind wait, in all queues. Those that run go on.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn pause_kind(
        &self,
        kind: &KindName,
        reason: Option<&str>,
    ) -> Result<KindSetting, JobsError> {
        let mark = pause(self.by.as_deref(), reason);
        change_kind(&self.link, kind, |setting| {
            setting.paused.get_or_insert_with(|| mark.clone());
        })
        .await
        .inspect(|_| tell_kind(&self.link, EventType::Paused, kind))
    }

    /// Lets the jobs of a kind run again, and says how many had been waiting.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn resume_kind(&self, kind: &KindName) -> Result<u64, JobsError> {
        change_kind(&self.link, kind, |setting| setting.paused = None).await?;
        tell_kind(&self.link, EventType::Resumed, kind);
        let conn = self.link.lease("release parked jobs").await?;
        release(&conn, &self.link, None, &Why::kind(kind.as_str()), u64::MAX).await
    }

    /// Lets at most so many jobs of a kind run at the same time, over all workers and queues; `None` or 0 takes the limit
    /// away. Those that wait hold no slot and lose no attempt. Jobs that run go on.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn limit_kind(
        &self,
        kind: &KindName,
        max_running: Option<u32>,
    ) -> Result<KindSetting, JobsError> {
        let limit = max_running.filter(|limit| *limit > 0);
        let set = change_kind(&self.link, kind, |setting| setting.max_running = limit).await?;
        // There may be more places now than before.
        let conn = self.link.lease("release parked jobs").await?;
        let (why, most) = (
            Why::kind_limit(kind.as_str()),
            limit.map_or(u64::MAX, u64::from),
        );
        release(&conn, &self.link, None, &why, most).await?;
        Ok(set)
    }

    /// What is set for a worker.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn worker(&self, id: &str) -> Result<WorkerSetting, JobsError> {
        check_worker(id)?;
        let conn = self.link.lease("read a setting").await?;
        Ok(read_worker(&conn, &self.link, id).await?.value)
    }

    /// Lets a worker take no more jobs. Those that it runs go on.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidName`] for an impossible id, [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn quiet_worker(
        &self,
        id: &str,
        reason: Option<&str>,
    ) -> Result<WorkerSetting, JobsError> {
        let mark = pause(self.by.as_deref(), reason);
        self.change_worker(id, |setting| {
            setting.quiet.get_or_insert_with(|| mark.clone());
        })
        .await
    }

    /// Lets a quiet worker take jobs again.
    ///
    /// # Errors
    /// As [`Self::quiet_worker`].
    pub async fn resume_worker(&self, id: &str) -> Result<WorkerSetting, JobsError> {
        self.change_worker(id, |setting| setting.quiet = None).await
    }

    /// Gives a worker so many slots; `None` leaves it to its queues and itself. Running jobs keep theirs.
    ///
    /// # Errors
    /// As [`Self::quiet_worker`], and [`JobsErrorKind::Configuration`] unless it is 1 to 1000.
    pub async fn scale_worker(
        &self,
        id: &str,
        slots: Option<u32>,
    ) -> Result<WorkerSetting, JobsError> {
        check_slots(slots)?;
        self.change_worker(id, |setting| setting.concurrency = slots)
            .await
    }

    /// Lets a worker end, as a signal would: it gives its jobs `workers.shutdown_timeout` and hands back the rest. A program
    /// that started it with [`crate::Worker::start`] does that itself, see [`crate::RunningWorker::told_to_stop`].
    ///
    /// # Errors
    /// As [`Self::quiet_worker`].
    pub async fn stop_worker(
        &self,
        id: &str,
        reason: Option<&str>,
    ) -> Result<WorkerSetting, JobsError> {
        let mark = pause(self.by.as_deref(), reason);
        self.change_worker(id, |setting| {
            setting.stop.get_or_insert_with(|| mark.clone());
        })
        .await
    }

    async fn change_worker(
        &self,
        id: &str,
        edit: impl Fn(&mut WorkerSetting),
    ) -> Result<WorkerSetting, JobsError> {
        check_worker(id)?;
        change_worker(&self.link, id, edit).await
    }
}

fn check_slots(slots: Option<u32>) -> Result<(), JobsError> {
    match slots {
        Some(slots) if !(1..=1000).contains(&slots) => Err(JobsError::new(
            JobsErrorKind::Configuration,
            format!("give a worker {slots} slots: it has 1 to 1000"),
        )),
        _ => Ok(()),
    }
}

fn check_worker(id: &str) -> Result<(), JobsError> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !id.is_empty() && id.len() <= 200 && id.chars().all(is_token) {
        return Ok(());
    }
    let text = format!(
        "name the worker `{}`: `naq worker list` shows the ids",
        id.escape_debug()
    );
    Err(JobsError::new(JobsErrorKind::InvalidName, text))
}

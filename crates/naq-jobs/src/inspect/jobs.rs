//! What [`Jobs`] offers of this folder.

use std::time::Duration;

use serde_json::value::RawValue;

use super::forward::bring_forward;
use super::large::{Large, release_gone};
use super::list::{JobPage, PendingState, list};
use super::nodes::{cancel_node, is_node};
use super::parked::{ParkedJobs, parked};
use super::purge::{PurgePlan, purge};
use super::queues::{QueuePage, queue, queues};
use super::stock::{Stock, stock};
use super::sweep::{Sweep, sweep};
use super::workers::{WorkerInfo, workers};
use super::{Found, JobInfo, JobStatus, QueueInfo, Whereabouts, look, whereabouts};
use crate::jobs::Jobs;
use crate::model::{JobId, QueueName};
use crate::payload::payload_in;
use crate::server::delete_sequence;
use crate::{JobsError, JobsErrorKind};

impl Jobs {
    /// Where a job is, read from where its message is: a few requests, whatever the number of jobs.
    ///
    /// ```no_run
    /// # async fn example(jobs: naq_jobs::Jobs) -> Result<(), Box<dyn std::error::Error>> {
    /// use naq_jobs::JobStatus;
    ///
    /// match jobs.status(&"invoice-17".parse()?).await? {
    ///     JobStatus::Waiting { ahead: Some(n), .. } => println!("{n} jobs come before it"),
    ///     status => println!("{}", status.word()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps), [`JobsErrorKind::Corrupt`].
    pub async fn status(&self, id: &JobId) -> Result<JobStatus, JobsError> {
        Ok(self.job(id).await?.status)
    }

    /// As [`Self::status`], with all else that is known of the job: kind, queue, attempts, body.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn job(&self, id: &JobId) -> Result<JobInfo, JobsError> {
        super::info::info(self.link(), id).await
    }

    /// The payload of a job as its handler gets it, also if it is compressed or kept in the object store; `None` if nothing that
    /// has it is stored: the job has completed, was cancelled, or is unknown.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidPayload`] if its body is unreadable, [`JobsErrorKind::NotFound`] if the object has gone; otherwise
    /// as [`Self::status`].
    pub async fn payload(&self, id: &JobId) -> Result<Option<Box<RawValue>>, JobsError> {
        match self.job(id).await?.body {
            Some(body) => {
                let context = format!("read the payload of the job {id}");
                payload_in(self.link(), &body, context).await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// Removes large payloads that no job and no dead letter refers to, or only counts them: what was left by a sender that died
    /// before its job was stored, and of dead letters that the server dropped for their age.
    ///
    /// `older_than` keeps what is being enqueued right now: a day is safe, less than an hour is not while somebody enqueues.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`]: some may be gone; call it again.
    pub async fn sweep_payloads(
        &self,
        older_than: Duration,
        is_dry_run: bool,
    ) -> Result<Sweep, JobsError> {
        sweep(self.link(), older_than, is_dry_run).await
    }

    /// The live workers. One that died is listed until its record expires (`workers.ttl`).
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps).
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, JobsError> {
        let link = self.link();
        let conn = link.lease("list the workers").await?;
        workers(&conn, link).await
    }

    /// Counts what the server has in store, without reading it.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn stock(&self) -> Result<Stock, JobsError> {
        stock(self.link()).await
    }

    /// At most `limit` queues (at most 1000) behind `after`, by name: the depth of each.
    ///
    /// Known are the queues that somebody has served, those of the settings, and those of the oldest jobs in store.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn queue_page(
        &self,
        after: Option<&QueueName>,
        limit: usize,
    ) -> Result<QueuePage, JobsError> {
        queues(self.link(), after, limit.clamp(1, 1000)).await
    }

    /// All queues, by name. With very many of them use [`Self::queue_page`].
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn queues(&self) -> Result<Vec<QueueInfo>, JobsError> {
        Ok(queues(self.link(), None, usize::MAX).await?.queues)
    }

    /// The depth of one queue. All zero if nobody ever used it.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn queue(&self, name: &QueueName) -> Result<QueueInfo, JobsError> {
        queue(self.link(), name).await
    }

    /// Why jobs of one queue are parked. Reads the subject of each: for a look at a queue, not to be asked each second.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn parked(&self, name: &QueueName) -> Result<ParkedJobs, JobsError> {
        parked(self.link(), name).await
    }

    /// At most `limit` jobs (at most 1000) of one queue or all that have not ended, in the order of their stream, from
    /// `from` on: 0, or what the last page said.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn pending_jobs(
        &self,
        state: PendingState,
        queue: Option<&QueueName>,
        from: u64,
        limit: usize,
    ) -> Result<JobPage, JobsError> {
        list(self.link(), state, queue, from, limit.clamp(1, 1000)).await
    }

    /// Makes every job that is due later, retries included, due earlier by `by`; says how many there were. Those that
    /// are due by then are enqueued by the server within 261 ms. Recurring schedules stay as they are.
    ///
    /// A job that fires or changes at the same moment keeps its time.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`]; a retry would move those again that were moved before.
    pub async fn bring_forward(&self, by: Duration) -> Result<u64, JobsError> {
        bring_forward(self.link(), by).await
    }

    /// Removes jobs of a queue that have not started; says how many. What runs is left alone, unless the plan says so. Those
    /// that are nodes of workflows are cancelled ([`Self::cancel`]), so that their workflows go on.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`]: some may have been removed; call it again.
    ///
    /// # Cancel safety
    /// Safe to drop and call again: what is removed is removed.
    pub async fn purge(&self, queue: &QueueName, plan: PurgePlan) -> Result<u64, JobsError> {
        self.purge_with(queue, plan, |_| {}).await
    }

    /// As [`Self::purge`]; `told` hears now and then how many are gone so far: on a cluster they are removed one by one.
    ///
    /// # Errors
    /// As [`Self::purge`].
    pub async fn purge_with(
        &self,
        queue: &QueueName,
        plan: PurgePlan,
        mut told: impl FnMut(u64),
    ) -> Result<u64, JobsError> {
        purge(self.link(), queue, plan, &mut told).await
    }

    /// Removes a job that has not started: waiting, due later or parked. `false` if there was nothing to remove. It
    /// leaves no outcome; who waits for one waits in vain. A node of a workflow is cancelled instead, so that its workflow
    /// goes on.
    ///
    /// # Errors
    /// [`JobsErrorKind::Conflict`] if a worker has it; [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn delete_job(&self, id: &JobId) -> Result<bool, JobsError> {
        let link = self.link();
        let conn = link.lease("remove a job").await?;
        let sight = look(&conn, link, id).await?;
        let Whereabouts::Message(_) = whereabouts(&sight) else {
            return Ok(false);
        };
        if let JobStatus::Running { .. } = self.status(id).await? {
            let context = format!("remove job {id}: a worker has it; cancel it instead");
            return Err(JobsError::new(JobsErrorKind::Conflict, context));
        }
        if sight.messages.iter().any(|found| is_node(&found.stored)) {
            return cancel_node(link, id).await;
        }
        let mut removed = false;
        for found in &sight.messages {
            let stream = link.names().jobs_stream();
            removed |= delete_sequence(&conn, &stream, found.stored.sequence).await?;
        }
        let large = |found: &Found| Large::read(link.names(), &found.stored);
        let large: Vec<Large> = sight.messages.iter().filter_map(large).collect();
        release_gone(&conn, link, &large).await?;
        Ok(removed)
    }
}

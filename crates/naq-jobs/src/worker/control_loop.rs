//! The loop that hears what is set for this worker and for kinds, and releases jobs that were parked for want of it.
//!
//! What is set for a queue comes with the other news of the queue, see `pull_loop.rs`.

use std::sync::Arc;
use std::time::Duration;

use naq_connection::{Connection, Phase, Subscription};
use tokio_util::sync::CancellationToken;

use super::runner::Runner;
use super::steering::Source;
use crate::JobsError;
use crate::control::{KindSetting, News, ParkedJob, Versioned, hear, kinds, read_worker};
use crate::model::{JobId, QueueName};
use crate::parked::{Why, release, release_subject};
use crate::server::{Link, page};

/// Wait after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// Hears what is set.
pub(super) struct ControlLoop {
    runner: Arc<Runner>,
    queues: Vec<QueueName>,
}

struct Ear {
    conn: Connection,
    own: Subscription,
    kinds: Subscription,
    epoch: u64,
}

impl ControlLoop {
    pub(super) fn new(runner: Arc<Runner>, queues: Vec<QueueName>) -> Self {
        Self { runner, queues }
    }

    /// Listens until `gone`.
    pub(super) async fn run(self, gone: &CancellationToken) {
        while !gone.is_cancelled() {
            let listening = async {
                let mut ear = self.open().await?;
                self.read(&ear.conn).await?;
                Ok::<_, JobsError>(self.epoch(&mut ear).await)
            };
            let ended = tokio::select! {
                () = gone.cancelled() => return,
                ended = listening => ended,
            };
            match ended {
                Ok(true) => {}
                // Lost for good; the queues say so.
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(%error, "the worker cannot hear what is set for it");
                    tokio::select! {
                        () = gone.cancelled() => return,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
    }

    async fn open(&self) -> Result<Ear, JobsError> {
        let context = "listen for what is set";
        let failed = |e| JobsError::connection(context, e);
        let (link, worker) = (&self.runner.link, &self.runner.worker);
        let conn = link.lease(context).await?;
        let epoch = conn.state().epoch;
        let own = conn.subscribe(link.names().control_worker(worker)).await;
        let kinds = conn.subscribe(link.names().control_kinds()).await;
        Ok(Ear {
            own: own.map_err(failed)?,
            kinds: kinds.map_err(failed)?,
            conn,
            epoch,
        })
    }

    /// Reads all that may have been missed.
    async fn read(&self, conn: &Connection) -> Result<(), JobsError> {
        let Runner {
            link,
            steering,
            worker,
            ..
        } = &*self.runner;
        steering.set_worker(read_worker(conn, link, worker).await?, Source::Read);
        for kind in kinds(conn, link).await? {
            steering.set_kind(kind, Source::Read);
        }
        for queue in &self.queues {
            self.release_known(conn, queue).await?;
        }
        Ok(())
    }

    /// Releases the jobs of a queue that were parked because nobody knew their kind, or because it was paused.
    async fn release_known(&self, conn: &Connection, queue: &QueueName) -> Result<(), JobsError> {
        let names = self.runner.link.names();
        let (stream, all) = (names.jobs_stream(), names.parked_filter(Some(queue), "*"));
        if page(conn, &stream, &all, 0, 1).await?.messages.is_empty() {
            return Ok(());
        }
        for kind in self.runner.registry.kinds() {
            self.runner.release_kind(conn, Some(queue), &kind).await?;
        }
        Ok(())
    }

    /// Listens over one connection epoch; `false` if it was the last one.
    async fn epoch(&self, ear: &mut Ear) -> bool {
        let mut states = ear.conn.states();
        loop {
            let message = tokio::select! {
                biased;
                changed = states.changed() => {
                    let state = *states.borrow_and_update();
                    if matches!(state.phase, Phase::Failed { .. }) {
                        return false;
                    }
                    if changed.is_err() || state.epoch != ear.epoch || !state.is_connected() {
                        return true;
                    }
                    continue;
                }
                hints = self.runner.steering.hints() => {
                    self.release_hinted(&ear.conn, hints).await;
                    continue;
                }
                message = ear.own.next() => message,
                message = ear.kinds.next() => message,
            };
            let Some(message) = message else { return true };
            match hear(&message.payload) {
                Some(News::Worker(pushed)) => {
                    self.runner.steering.set_worker(pushed.into(), Source::Push);
                }
                Some(News::Kind(pushed)) => self.on_kind(&ear.conn, pushed.into()).await,
                _ => {}
            }
        }
    }

    /// Releases single jobs that others did not know.
    async fn release_hinted(&self, conn: &Connection, hints: Vec<(QueueName, ParkedJob)>) {
        let Runner { link, steering, .. } = &*self.runner;
        for (queue, job) in hints
            .iter()
            .filter(|(_, job)| !steering.is_paused(&job.kind))
        {
            if let Err(error) = release_job(conn, link, queue, job).await {
                tracing::debug!(id = job.id, %error, "a parked job is left to come back by itself");
            }
        }
    }

    async fn on_kind(&self, conn: &Connection, setting: Versioned<KindSetting>) {
        let kind = setting.value.kind.clone();
        self.runner.steering.set_kind(setting, Source::Push);
        // Who resumed it does this, too; of the two, one may die.
        if let Err(error) = self.runner.release_kind(conn, None, &kind).await {
            tracing::debug!(kind, %error, "parked jobs are left to come back by themselves");
        }
    }
}

/// Releases one parked job, if it is still there.
async fn release_job(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
    job: &ParkedJob,
) -> Result<(), JobsError> {
    let Ok(id) = JobId::new(job.id.as_str()) else {
        return Ok(());
    };
    let subject = link
        .names()
        .parked(queue, Why::kind(&job.kind).as_str(), &id);
    release_subject(conn, link, &subject, 1).await.map(drop)
}

impl Runner {
    /// Releases the parked jobs of a kind that runs here.
    pub(super) async fn release_kind(
        &self,
        conn: &Connection,
        queue: Option<&QueueName>,
        kind: &str,
    ) -> Result<(), JobsError> {
        if !self.registry.knows(kind) || self.steering.is_paused(kind) {
            return Ok(());
        }
        let released = release(conn, &self.link, queue, &Why::kind(kind), u64::MAX).await?;
        if released > 0 {
            tracing::info!(kind, released, "parked jobs released");
        }
        Ok(())
    }
}

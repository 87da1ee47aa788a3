//! A running worker: its tasks, and how it stops.
//!
//! ```text
//!   start ──► PULLING ── stop(grace) ──► DRAINING ── all settled ──────────────► STOPPED
//!                │                          │ grace over                            ▲
//!                │                          └──► ABORTING: running jobs are ────────┤
//!                │                               cancelled and handed back          │
//!                └── dropped ──► ABORTING without waiting; leases end by themselves ┘
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::acks::Acks;
use super::builder::Plan;
use super::cancels::Cancels;
use super::control_loop::ControlLoop;
use super::ears;
use super::errands::ErrandLoop;
use super::fires;
use super::flows::Flows;
use super::holds::Holds;
use super::limits::Buckets;
use super::line::Lines;
use super::presence::{Presence, worker_id};
use super::pull_loop::PullLoop;
use super::runner::Runner;
use super::seen::Seen;
use super::shared_slots::SharedSlots;
use super::slots::Slots;
use super::steering::{Source, Steering};
use super::tally::{StopReport, Tally};
use crate::control::{kinds, read_queue, remove_worker, terms};
use crate::event_log::LAST_FLUSH;
use crate::model::{Priority, QueueName};
use crate::notes::Outbox;
use crate::server::{Link, ensure_consumer, now_ms, prepare};
use crate::wire::Names;
use crate::workflow::Advancer;
use crate::{JobsError, JobsErrorKind};

/// Time that cancelled jobs get to be handed back.
const HAND_BACK: Duration = Duration::from_secs(3);

/// Most kinds that the record of a worker names.
const MAX_KINDS: usize = 256;

/// A running worker. Dropping it aborts its jobs; [`RunningWorker::stop`] ends it well.
#[derive(Debug)]
pub struct RunningWorker {
    runner: Arc<Runner>,
    jobs: TaskTracker,
    loops: JoinSet<Result<(), JobsError>>,
    /// Renewal, acknowledgements and presence, which go on until all jobs are settled.
    keepers: JoinSet<()>,
    gone: CancellationToken,
}

/// Makes the consumers and starts the tasks.
pub(super) async fn launch(plan: Plan) -> Result<RunningWorker, JobsError> {
    let consumers = consumers(&plan.link, &plan.queues).await?;
    let slots = SharedSlots::new(plan.concurrency, plan.queues.len());
    let steering = (plan.link.clone(), plan.concurrency, plan.queues.clone());
    let runner = Arc::new(Runner {
        link: plan.link.clone(),
        registry: plan.registry.clone(),
        states: Arc::clone(&plan.states),
        threads: plan.threads.clone(),
        notes: Outbox::default(),
        worker: worker_id(plan.name.as_deref()).into(),
        holds: Holds::default(),
        cancels: Cancels::default(),
        steering: Steering::new(steering.0, steering.1, steering.2, slots.clone()),
        buckets: Buckets::default(),
        acks: Acks::new(),
        lines: Lines::default(),
        stopping: CancellationToken::new(),
        abort: CancellationToken::new(),
        tally: Tally::default(),
    });
    read_kinds(&runner).await?;
    let (jobs, gone) = (TaskTracker::new(), CancellationToken::new());
    let keepers = keep(&runner, &plan, &gone);
    let mut loops = JoinSet::new();
    for (index, (queue, consumer)) in plan.queues.into_iter().zip(consumers).enumerate() {
        let (runner, jobs, slots) = (Arc::clone(&runner), jobs.clone(), slots.clone());
        let normal = PullLoop {
            runner,
            queue,
            priority: Priority::Normal,
            lane: Slots::lane(index, Priority::Normal),
            slots,
            jobs,
            consumer,
            seen: Seen::default(),
        };
        loops.spawn(pull(normal, index));
    }
    run_errands(&mut loops, plan.link, &runner.stopping);
    tracing::info!(worker = %runner.worker, concurrency = plan.concurrency, "worker started");
    Ok(RunningWorker {
        runner,
        jobs,
        loops,
        keepers,
        gone,
    })
}

/// Makes the consumers of the queues; says their names and lease times.
async fn consumers(
    link: &Link,
    queues: &[QueueName],
) -> Result<Vec<(String, Duration)>, JobsError> {
    prepare(link, "prepare the queues", move |conn| async move {
        let mut consumers = Vec::with_capacity(queues.len());
        for queue in queues {
            let setting = read_queue(&conn, link, queue).await?;
            let terms = terms(link, queue, &setting.value);
            let level = (queue, Priority::Normal);
            consumers.push(ensure_consumer(&conn, link, level, terms).await?);
        }
        Ok(consumers)
    })
    .await
}

/// Reads what is set for kinds, before the first job comes: those of a paused kind are not to start.
async fn read_kinds(runner: &Runner) -> Result<(), JobsError> {
    let link = &runner.link;
    let known = prepare(link, "read what is set for kinds", move |conn| async move {
        kinds(&conn, link).await
    });
    for kind in known.await? {
        runner.steering.set_kind(kind, Source::Read);
    }
    Ok(())
}

/// What each worker does for all, whatever its queues.
fn run_errands(
    loops: &mut JoinSet<Result<(), JobsError>>,
    link: Link,
    stopping: &CancellationToken,
) {
    loops.spawn(fires::run(link.clone(), stopping.clone()));
    let flows = Flows(Advancer::new(link.clone()));
    loops.spawn(ErrandLoop::new(flows, link.clone(), stopping.clone()).run());
    loops.spawn(ears::listen(link, stopping.clone()));
}

/// Pulls from a queue, and from its other priorities as soon as they are used.
async fn pull(normal: PullLoop, index: usize) -> Result<(), JobsError> {
    let high = later(&normal, index, Priority::High);
    let low = later(&normal, index, Priority::Low);
    tokio::try_join!(normal.run(), high, low).map(drop)
}

/// Pulls from a queue at `priority` as soon as that is used; costs next to nothing before.
fn later(
    normal: &PullLoop,
    index: usize,
    priority: Priority,
) -> impl Future<Output = Result<(), JobsError>> + use<> {
    let (runner, queue) = (Arc::clone(&normal.runner), normal.queue.clone());
    let (slots, jobs, lease_time) = (normal.slots.clone(), normal.jobs.clone(), normal.consumer.1);
    async move {
        tokio::select! {
            () = runner.stopping.cancelled() => return Ok(()),
            () = runner.steering.uses(&queue, priority) => {}
        }
        let level = PullLoop {
            runner,
            priority,
            lane: Slots::lane(index, priority),
            slots,
            jobs,
            consumer: (Names::consumer(&queue, priority), lease_time),
            seen: Seen::default(),
            queue,
        };
        Box::pin(level.run()).await
    }
}

/// The tasks that go on until all jobs are settled: renewal, acknowledgements, presence.
fn keep(runner: &Arc<Runner>, plan: &Plan, gone: &CancellationToken) -> JoinSet<()> {
    let mut keepers = JoinSet::new();
    let presence = Presence {
        runner: Arc::clone(runner),
        queues: plan.queues.iter().map(ToString::to_string).collect(),
        kinds: runner
            .registry
            .kinds()
            .into_iter()
            .take(MAX_KINDS)
            .collect(),
        started_at_ms: now_ms(),
    };
    let (renewing, until) = (Arc::clone(runner), gone.clone());
    keepers.spawn(async move { renewing.holds.keep(&renewing.link, &until).await });
    let (acking, until) = (Arc::clone(runner), gone.clone());
    keepers.spawn(async move {
        let Runner { link, tally, .. } = &*acking;
        acking.acks.keep(link, tally, &until).await;
    });
    let (telling, until) = (Arc::clone(runner), gone.clone());
    keepers.spawn(async move {
        telling
            .notes
            .keep(&telling.link, &telling.worker, &until)
            .await;
    });
    let (listening, until) = (Arc::clone(runner), gone.clone());
    keepers.spawn(async move {
        let Runner {
            link,
            holds,
            worker,
            cancels,
            ..
        } = &*listening;
        cancels.keep(link, holds, worker, &until).await;
    });
    let (stopping, until) = (runner.stopping.clone(), gone.clone());
    keepers.spawn(async move { presence.keep(&stopping, &until).await });
    let control = ControlLoop::new(Arc::clone(runner), plan.queues.clone());
    let (told, until) = (Arc::clone(runner), gone.clone());
    keepers.spawn(async move {
        control.run(&until).await;
        told.forget_setting().await;
    });
    keepers
}

impl RunningWorker {
    /// The worker's id, as others see it.
    pub fn id(&self) -> &str {
        &self.runner.worker
    }

    /// What it did so far.
    pub fn report(&self) -> StopReport {
        self.runner.tally.report()
    }

    /// Completes when an operator wants the worker to end (`naq worker stop`); then call [`Self::stop`].
    ///
    /// # Cancel safety
    /// Safe to drop and call again.
    pub fn told_to_stop(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut steered = self.runner.steering.watch();
        async move {
            if steered.wait_for(|now| now.has_to_stop).await.is_err() {
                // The worker is gone, and nobody can tell it anything.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Completes when the worker cannot go on: the connection is lost for good. Normally it never does.
    ///
    /// # Cancel safety
    /// Safe to drop and call again.
    pub async fn failed(&mut self) -> JobsError {
        while let Some(ended) = self.loops.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(join) => {
                    return JobsError::new(JobsErrorKind::Worker, "pull jobs").because(join);
                }
            }
        }
        std::future::pending().await
    }

    /// Stops: takes no more jobs, gives the running ones `grace` to finish, then cancels them and hands them back.
    ///
    /// Bounded by `grace` plus a few seconds, also while the server is down.
    ///
    /// # Cancel safety
    /// If the future is dropped, the worker is aborted as by dropping it.
    pub async fn stop(self, grace: Duration) -> StopReport {
        self.stop_or_hurry(grace, std::future::pending()).await
    }

    /// As [`Self::stop`]; the grace is over when `hurry` ends, such as when somebody asks a second time.
    ///
    /// # Cancel safety
    /// As [`Self::stop`].
    pub async fn stop_or_hurry(
        mut self,
        grace: Duration,
        hurry: impl Future<Output = ()>,
    ) -> StopReport {
        self.runner.stopping.cancel();
        while self.loops.join_next().await.is_some() {}
        self.jobs.close();
        let are_done = tokio::select! {
            () = self.jobs.wait() => true,
            () = tokio::time::sleep(grace) => false,
            () = hurry => false,
        };
        if !are_done {
            self.runner.abort.cancel();
            if tokio::time::timeout(HAND_BACK, self.jobs.wait())
                .await
                .is_err()
            {
                tracing::warn!(
                    jobs = self.jobs.len(),
                    "stopped before all jobs were handed back; the server delivers them again"
                );
            }
        }
        self.end_threads().await;
        self.gone.cancel();
        let keepers = async { while self.keepers.join_next().await.is_some() {} };
        if tokio::time::timeout(HAND_BACK, keepers).await.is_err() {
            self.keepers.abort_all();
        }
        self.runner.link.events().flush(LAST_FLUSH).await;
        tracing::info!(worker = %self.runner.worker, report = ?self.report(), "worker stopped");
        self.report()
    }
}

impl RunningWorker {
    /// The jobs are settled; functions that block may still run.
    async fn end_threads(&self) {
        let threads = &self.runner.threads;
        threads.close();
        if tokio::time::timeout(HAND_BACK, threads.ended())
            .await
            .is_err()
        {
            let count = threads.alive();
            tracing::warn!(
                count,
                "stopped while blocking handlers go on; the end of the process ends them"
            );
        }
    }
}

impl Runner {
    /// Takes away what was set for this worker: nobody else has its id.
    async fn forget_setting(&self) {
        if !self.steering.is_set() {
            return;
        }
        let forget = async {
            let conn = self.link.lease("forget a setting").await?;
            remove_worker(&conn, &self.link, &self.worker).await
        };
        if let Err(error) = forget.await {
            tracing::debug!(%error, "what was set for the worker is left to expire");
        }
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        self.runner.threads.close();
        self.runner.stopping.cancel();
        self.runner.abort.cancel();
        self.gone.cancel();
    }
}

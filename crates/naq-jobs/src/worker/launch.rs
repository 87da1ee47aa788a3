//! Starts a worker: its consumers, and the tasks that it consists of.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
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
use super::line::Elsewhere;
use super::line::Lines;
use super::presence::{Presence, Shown, worker_id};
use super::pull_loop::{Behind, PullLoop};
use super::runner::Runner;
use super::running::RunningWorker;
use super::seen::Seen;
use super::shared_slots::SharedSlots;
use super::slots::Slots;
use super::steering::{Source, Steering};
use super::tally::Tally;
use crate::control::{QueueSetting, Versioned, kinds, read_queue, terms};
use crate::model::{Priority, QueueName};
use crate::notes::Outbox;
use crate::server::{Link, ensure_consumer, now_ms, prepare};
use crate::wire::Names;
use crate::workflow::Advancer;
use crate::{JobsError, failpoint};

/// Most kinds that the record of a worker names.
const MAX_KINDS: usize = 256;

/// Makes the consumers and starts the tasks.
pub(super) async fn launch(plan: Plan) -> Result<RunningWorker, JobsError> {
    let prepared = prepare_queues(&plan.link, &plan.queues).await?;
    let lines = Arc::new(Lines::default());
    let slots = SharedSlots::new(plan.concurrency, plan.queues.len(), Arc::clone(&lines));
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
        lines,
        elsewhere: Elsewhere::default(),
        stopping: CancellationToken::new(),
        abort: CancellationToken::new(),
        tally: Tally::default(),
    });
    read_kinds(&runner).await?;
    failpoint::reach("queues-prepared");
    // Before the first job comes: none may start beyond the limits.
    for (queue, prepared) in plan.queues.iter().zip(&prepared) {
        let setting = prepared.setting.clone();
        runner.steering.set_queue(queue, setting, Source::Read);
    }
    let (jobs, gone) = (TaskTracker::new(), CancellationToken::new());
    let presence = presence(&runner, &plan);
    let shown = presence.begin().await;
    let keepers = keep(&runner, &plan, (presence, shown), &gone);
    let mut loops = JoinSet::new();
    for (index, (queue, prepared)) in plan.queues.into_iter().zip(prepared).enumerate() {
        let (runner, jobs, slots) = (Arc::clone(&runner), jobs.clone(), slots.clone());
        let normal = PullLoop {
            runner,
            queue,
            priority: Priority::Normal,
            lane: Slots::lane(index, Priority::Normal),
            slots,
            jobs,
            consumer: prepared.consumer,
            seen: Seen::default(),
            behind: Behind::new(Instant::now()),
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

/// A queue that can be pulled from.
struct Prepared {
    /// Its consumer and the lease time.
    consumer: (String, Duration),
    setting: Versioned<QueueSetting>,
}

/// Reads what is set for the queues and makes their consumers.
async fn prepare_queues(link: &Link, queues: &[QueueName]) -> Result<Vec<Prepared>, JobsError> {
    prepare(link, "prepare the queues", move |conn| async move {
        let mut prepared = Vec::with_capacity(queues.len());
        for queue in queues {
            let setting = read_queue(&conn, link, queue).await?;
            let terms = terms(link, queue, &setting.value);
            let level = (queue, Priority::Normal);
            let consumer = ensure_consumer(&conn, link, level, terms).await?;
            prepared.push(Prepared { consumer, setting });
        }
        Ok(prepared)
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
    // Those that are in use already open their lanes before the first request: a high job is to be the first.
    tokio::try_join!(high, low, normal.run()).map(drop)
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
            behind: Behind::new(Instant::now()),
            queue,
        };
        Box::pin(level.run()).await
    }
}

fn presence(runner: &Arc<Runner>, plan: &Plan) -> Presence {
    let kinds = runner.registry.kinds().into_iter().take(MAX_KINDS);
    Presence {
        runner: Arc::clone(runner),
        queues: plan.queues.iter().map(ToString::to_string).collect(),
        kinds: kinds.collect(),
        started_at_ms: now_ms(),
    }
}

/// The tasks that go on until all jobs are settled: renewal, acknowledgements, presence.
fn keep(
    runner: &Arc<Runner>,
    plan: &Plan,
    (presence, shown): (Presence, Option<Shown>),
    gone: &CancellationToken,
) -> JoinSet<()> {
    let mut keepers = JoinSet::new();
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
    keepers.spawn(async move { presence.keep(shown, &stopping, &until).await });
    let control = ControlLoop::new(Arc::clone(runner), plan.queues.clone());
    let (told, until) = (Arc::clone(runner), gone.clone());
    keepers.spawn(async move {
        control.run(&until).await;
        told.forget_setting().await;
    });
    keepers
}

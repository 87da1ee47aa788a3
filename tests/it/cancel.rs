//! Cancelling: jobs that wait, are due later, run, and have ended; and cancels that meet a job on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use naq_jobs::{
    CancelledFrom, FailureReason, JobContext, JobError, JobHandle, JobId, Jobs, JobsErrorKind,
    Kind, RetryPolicy, RunningWorker, Status,
};
use naq_testing::{FaultProxy, eventually_eq};
use tokio::sync::mpsc;

use crate::setup::{Bed, Gate, LONG, Ledger, job_id};

/// Runs until it is cancelled, and says when and why; given `false` it does not listen.
const LONG_JOB: Kind<bool, u32> = Kind::new("long");

/// Returns at once.
const QUICK: Kind<(), ()> = Kind::new("quick");

type Told = (JobId, Instant, Option<String>);

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A worker, and what its cancelled handlers say.
struct Crew {
    worker: RunningWorker,
    started: mpsc::UnboundedReceiver<JobId>,
    told: mpsc::UnboundedReceiver<Told>,
    dropped: Arc<AtomicBool>,
}

impl Crew {
    async fn start(jobs: &Jobs, slots: u32) -> Self {
        let (starting, started) = mpsc::unbounded_channel();
        let (telling, told) = mpsc::unbounded_channel();
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&dropped);
        let worker = jobs
            .worker()
            .concurrency(slots)
            .handle(QUICK, async |_: JobContext, (): ()| Ok::<_, JobError>(()))
            .handle(LONG_JOB, move |context: JobContext, listens: bool| {
                let (starting, telling) = (starting.clone(), telling.clone());
                let guard = SetOnDrop(Arc::clone(&flag));
                async move {
                    starting.send(context.id().clone()).unwrap();
                    context.cancelled().cancelled().await;
                    let reason = context.cancel_reason().map(str::to_owned);
                    telling
                        .send((context.id().clone(), Instant::now(), reason))
                        .unwrap();
                    if !listens {
                        std::future::pending::<()>().await;
                    }
                    drop(guard);
                    Err::<u32, _>(JobError::message("stopped"))
                }
            })
            .start()
            .await
            .unwrap();
        Self {
            worker,
            started,
            told,
            dropped,
        }
    }

    async fn runs(&mut self) -> JobId {
        let started = tokio::time::timeout(LONG, self.started.recv()).await;
        started.unwrap().unwrap()
    }

    async fn hears(&mut self) -> Told {
        let told = tokio::time::timeout(LONG, self.told.recv()).await;
        told.unwrap().unwrap()
    }
}

async fn is_cancelled<R>(job: &JobHandle<R>, reason: &str) {
    let outcome = job.outcome(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    let failure = outcome.error.unwrap();
    assert_eq!(failure.reason, FailureReason::Cancelled);
    assert_eq!(failure.message, reason);
}

async fn nothing_is_left(bed: &Bed) {
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
}

#[tokio::test]
async fn a_running_job_hears_of_its_cancel_from_another_process_within_100_ms() {
    // A lease that lapses on a busy machine would make another end of it.
    let bed = Bed::with(|s| s.queues.ack_wait = LONG).await;
    let other = bed.other(|_| {}).await;
    let mut crew = Crew::start(&bed.jobs, 1).await;
    let mut waits = Vec::new();
    for round in 0..5 {
        let retry = RetryPolicy::fixed(3, Duration::ZERO);
        let job = bed
            .jobs
            .enqueue(LONG_JOB.job(&true).unwrap().retry(retry))
            .await
            .unwrap();
        // It can run only if the one before has given its slot back.
        assert_eq!(crew.runs().await, *job.id());
        let begun = Instant::now();
        let report = other
            .cancel(job.id())
            .reason(format!("round {round}"))
            .await
            .unwrap();
        let (id, heard, reason) = crew.hears().await;
        waits.push((heard - begun).saturating_sub(bed.slack().await));
        assert_eq!(
            (id, reason),
            (job.id().clone(), Some(format!("round {round}")))
        );
        let worker = crew.worker.id().to_owned();
        assert_eq!(report.from, CancelledFrom::Running { worker, attempt: 1 });
        is_cancelled(&job, &format!("round {round}")).await;
        let error = job.result(LONG).await.unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::JobCancelled);
    }
    println!("from the call to the handler: {waits:?}");
    // The machine may be busy with other tests: the quickest of them shows what it takes.
    assert!(
        *waits.iter().min().unwrap() < Duration::from_millis(100),
        "{waits:?}"
    );
    let report = crew.worker.stop(LONG).await;
    assert_eq!((report.cancelled, report.failed, report.retried), (5, 0, 0));
    nothing_is_left(&bed).await;
}

#[tokio::test]
async fn a_handler_that_does_not_listen_is_dropped_after_the_grace() {
    let bed = Bed::new().await;
    let mut crew = Crew::start(&bed.jobs, 1).await;
    let job = bed
        .jobs
        .enqueue(LONG_JOB.job(&false).unwrap())
        .await
        .unwrap();
    crew.runs().await;
    let grace = Duration::from_millis(400);
    let begun = Instant::now();
    let report = bed.jobs.cancel(job.id()).grace(grace).await.unwrap();
    assert!(
        matches!(report.from, CancelledFrom::Running { .. }),
        "{report:?}"
    );
    crew.hears().await;
    // The slot is free again when this one runs.
    let next = bed.jobs.enqueue(QUICK.job(&()).unwrap()).await.unwrap();
    next.result(LONG).await.unwrap();
    assert!(crew.dropped.load(Ordering::SeqCst));
    // From the call on: on a busy machine the handler hears of it later than its worker.
    assert!(begun.elapsed() >= grace, "{:?}", begun.elapsed());
    is_cancelled(&job, "cancelled").await;
    assert_eq!(crew.worker.stop(LONG).await.cancelled, 1);
    nothing_is_left(&bed).await;
}

#[tokio::test]
async fn jobs_that_wait_or_are_due_later_never_run() {
    let bed = Bed::new().await;
    let waiting = bed.jobs.enqueue(QUICK.job(&()).unwrap()).await.unwrap();
    let later = QUICK.job(&()).unwrap().delay(Duration::from_secs(3600));
    let later = bed.jobs.enqueue(later).await.unwrap();
    let unkept = bed
        .jobs
        .enqueue(QUICK.job(&()).unwrap().discard_result())
        .await
        .unwrap();
    for (job, from) in [
        (&waiting, CancelledFrom::Waiting),
        (&later, CancelledFrom::Scheduled),
        (&unkept, CancelledFrom::Waiting),
    ] {
        let report = bed
            .jobs
            .cancel(job.id())
            .reason("not needed")
            .await
            .unwrap();
        assert_eq!(report.from, from);
        assert!(report.is_cancelled());
        is_cancelled(job, "not needed").await;
    }
    nothing_is_left(&bed).await;
    // Once more: nothing is left to do, and that is no error.
    let again = bed.jobs.cancel(waiting.id()).await.unwrap();
    assert_eq!(
        again.from,
        CancelledFrom::Ended {
            status: Status::Cancelled
        }
    );
    assert!(again.is_cancelled());
    let crew = Crew::start(&bed.jobs, 2).await;
    assert_eq!(
        crew.worker.stop(LONG).await,
        naq_jobs::StopReport::default()
    );
}

#[tokio::test]
async fn a_job_that_waits_for_its_retry_is_cancelled_and_not_tried_again() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let noting = ledger.clone();
    let worker = bed
        .jobs
        .worker()
        .handle(LONG_JOB, move |context: JobContext, _: bool| {
            noting.note(&context);
            async { Err::<u32, _>(JobError::message("no")) }
        })
        .start()
        .await
        .unwrap();
    let policy = RetryPolicy::fixed(3, Duration::from_secs(3600));
    let job = bed
        .jobs
        .enqueue(LONG_JOB.job(&true).unwrap().retry(policy))
        .await
        .unwrap();
    eventually_eq(LONG, 1, async || bed.jobs.stock().await.unwrap().scheduled).await;
    let report = bed.jobs.cancel(job.id()).await.unwrap();
    assert_eq!(report.from, CancelledFrom::Scheduled);
    is_cancelled(&job, "cancelled").await;
    assert_eq!(ledger.attempts(job.id().as_str()), [1]);
    worker.stop(LONG).await;
    nothing_is_left(&bed).await;
}

#[tokio::test]
async fn the_first_to_end_a_job_wins_and_the_other_is_told() {
    let bed = Bed::new().await;
    let crew = Crew::start(&bed.jobs, 2).await;
    let job = bed.jobs.enqueue(QUICK.job(&()).unwrap()).await.unwrap();
    job.result(LONG).await.unwrap();
    let report = bed.jobs.cancel(job.id()).await.unwrap();
    assert_eq!(
        report.from,
        CancelledFrom::Ended {
            status: Status::Completed
        }
    );
    assert!(!report.is_cancelled());
    assert!(
        job.outcome(LONG).await.unwrap().is_success(),
        "not overwritten"
    );
    let error = bed.jobs.cancel(&job_id("nobody")).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::NotFound);
    crew.worker.stop(LONG).await;
}

/// A worker whose handler ends when the gate is open, whatever it is told meanwhile.
async fn worker_behind_a_gate(bed: &Bed) -> (RunningWorker, Gate) {
    let gate = Gate::new();
    let passing = gate.clone();
    let worker = bed
        .jobs
        .worker()
        .handle(QUICK, move |_: JobContext, (): ()| {
            let gate = passing.clone();
            async move {
                gate.pass().await;
                Ok::<_, JobError>(())
            }
        })
        .start()
        .await
        .unwrap();
    (worker, gate)
}

/// A result that comes after the cancel is refused, also if the handler does not care.
#[tokio::test]
async fn a_result_after_the_cancel_changes_nothing() {
    let bed = Bed::new().await;
    let (worker, gate) = worker_behind_a_gate(&bed).await;
    let job = bed.jobs.enqueue(QUICK.job(&()).unwrap()).await.unwrap();
    gate.started(1).await;
    bed.jobs
        .cancel(job.id())
        .grace(LONG)
        .reason("too late")
        .await
        .unwrap();
    gate.open(1);
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (0, 0));
    is_cancelled(&job, "too late").await;
    nothing_is_left(&bed).await;
}

/// A job that keeps no result has no fence: one that heard of its cancel does not count as completed all the same.
#[tokio::test]
async fn a_job_without_a_kept_result_that_ends_in_its_grace_stays_cancelled() {
    let bed = Bed::new().await;
    let (worker, gate) = worker_behind_a_gate(&bed).await;
    let job = QUICK.job(&()).unwrap().discard_result();
    let job = bed.jobs.enqueue(job).await.unwrap();
    gate.started(1).await;
    let report = bed.jobs.cancel(job.id()).grace(LONG).await.unwrap();
    assert!(
        matches!(report.from, CancelledFrom::Running { .. }),
        "{report:?}"
    );
    gate.open(1);
    let report = worker.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (0, 0), "{report:?}");
    is_cancelled(&job, "cancelled").await;
    nothing_is_left(&bed).await;
}

/// The worker alone knows of the attempts that it has made in one go.
#[tokio::test]
async fn the_outcome_says_which_attempt_was_cancelled() {
    let bed = Bed::new().await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let (passing, noting) = (gate.clone(), ledger.clone());
    let handler = move |context: JobContext, (): ()| {
        let gate = passing.clone();
        noting.note(&context);
        async move {
            match context.attempt() {
                1 => Err(JobError::message("once more")),
                _ => {
                    gate.pass().await;
                    Ok(())
                }
            }
        }
    };
    let worker = bed.jobs.worker().handle(QUICK, handler);
    let worker = worker.start().await.unwrap();
    let retry = RetryPolicy::fixed(3, Duration::ZERO);
    let job = QUICK.job(&()).unwrap().retry(retry);
    let job = bed.jobs.enqueue(job).await.unwrap();
    gate.started(1).await;
    let cancel = bed.jobs.cancel(job.id()).grace(Duration::ZERO);
    let from = cancel.await.unwrap().from;
    let running = CancelledFrom::Running {
        worker: worker.id().to_owned(),
        attempt: 2,
    };
    assert_eq!(from, running);
    assert_eq!(job.outcome(LONG).await.unwrap().attempt, 2);
    assert_eq!(ledger.attempts(job.id().as_str()), [1, 2]);
    assert_eq!(worker.stop(LONG).await.cancelled, 1);
    // Nobody has it: none has begun.
    let job = bed.jobs.enqueue(QUICK.job(&()).unwrap()).await.unwrap();
    bed.jobs.cancel(job.id()).await.unwrap();
    assert_eq!(job.outcome(LONG).await.unwrap().attempt, 0);
    nothing_is_left(&bed).await;
}

/// The push of a cancel is sent once. A worker that was cut off at that time makes up for it.
#[tokio::test]
async fn a_cancel_that_is_pushed_while_the_worker_is_cut_off_reaches_its_job() {
    let bed = Bed::new().await;
    let proxy = FaultProxy::to(&bed.server.url());
    let far = bed
        .other(|s| {
            s.nats.servers = vec![proxy.url()];
            s.queues.ack_wait = LONG;
        })
        .await;
    let mut crew = Crew::start(&far, 2).await;
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let job = LONG_JOB.job(&true).unwrap();
        jobs.push(bed.jobs.enqueue(job).await.unwrap());
        crew.runs().await;
    }
    proxy.refuse();
    proxy.cut();
    let report = bed
        .jobs
        .cancel(jobs[0].id())
        .reason("missed")
        .await
        .unwrap();
    assert_eq!(report.from, CancelledFrom::Leased);
    is_cancelled(&jobs[0], "missed").await;
    // It was delivered, so it is taken to have begun.
    assert_eq!(jobs[0].outcome(LONG).await.unwrap().attempt, 1);
    proxy.accept();
    let (id, _, reason) = crew.hears().await;
    assert_eq!((&id, reason.as_deref()), (jobs[0].id(), Some("missed")));
    // The other one goes on, and hears of its own.
    bed.jobs.cancel(jobs[1].id()).reason("heard").await.unwrap();
    let (id, _, reason) = crew.hears().await;
    assert_eq!((&id, reason.as_deref()), (jobs[1].id(), Some("heard")));
    assert_eq!(crew.worker.stop(LONG).await.cancelled, 2);
    nothing_is_left(&bed).await;
}

/// Cancels that meet their jobs anywhere between the queue and the end: each job ends once, nothing is left.
#[tokio::test]
async fn cancels_that_race_with_the_delivery_leave_one_outcome_for_each_job() {
    let bed = Bed::new().await;
    let crew = Crew::start(&bed.jobs, 4).await;
    let other = bed.other(|_| {}).await;
    let mut cancelled = 0;
    for round in 0_u32..60 {
        let job = bed.jobs.enqueue(QUICK.job(&()).unwrap()).await.unwrap();
        // Each round meets the job a little later on its way.
        tokio::time::sleep(Duration::from_micros(u64::from(round * 20))).await;
        let report = other.cancel(job.id()).await.unwrap();
        let outcome = job.outcome(LONG).await.unwrap();
        assert_eq!(
            outcome.status == Status::Cancelled,
            report.is_cancelled(),
            "{report:?}"
        );
        cancelled += u64::from(report.is_cancelled());
    }
    nothing_is_left(&bed).await;
    let report = crew.worker.stop(LONG).await;
    println!("{cancelled} of 60 cancelled; the worker saw {report:?}");
    assert_eq!((report.failed, report.retried), (0, 0));
    assert_eq!(report.completed, 60 - cancelled);
}

#[tokio::test]
async fn a_requeued_job_is_cancelled_although_it_has_failed_before() {
    let bed = Bed::new().await;
    let worker = bed
        .jobs
        .worker()
        .handle(QUICK, async |_: JobContext, (): ()| {
            Err::<(), _>(JobError::message("no"))
        })
        .start()
        .await
        .unwrap();
    let job = bed.jobs.enqueue(QUICK.job(&()).unwrap()).await.unwrap();
    assert_eq!(job.outcome(LONG).await.unwrap().status, Status::Failed);
    worker.stop(LONG).await;
    bed.jobs.dead_letters().requeue(job.id()).await.unwrap();
    let report = bed.jobs.cancel(job.id()).reason("enough").await.unwrap();
    assert!(report.is_cancelled(), "{report:?}");
    is_cancelled(&job, "enough").await;
    nothing_is_left(&bed).await;
}

/// Any language can cancel a running job.
#[tokio::test]
async fn a_bare_message_stops_a_running_job_for_good() {
    let bed = Bed::new().await;
    let mut crew = Crew::start(&bed.jobs, 1).await;
    let job = bed
        .jobs
        .enqueue(LONG_JOB.job(&true).unwrap())
        .await
        .unwrap();
    crew.runs().await;
    let conn = bed.conn().await;
    conn.publish(format!("naq.cancel.{}", job.id()), "{}")
        .await
        .unwrap();
    let (_, _, reason) = crew.hears().await;
    assert_eq!(reason.as_deref(), Some("cancelled"));
    is_cancelled(&job, "cancelled").await;
    assert_eq!(crew.worker.stop(LONG).await.cancelled, 1);
    nothing_is_left(&bed).await;
}

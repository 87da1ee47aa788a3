//! Strict jobs: only the newest run settles. The lines of the failure table of 0013.

use std::time::Duration;

use naq_jobs::{JobContext, JobError, JobHandle, Jobs, Kind, RetryPolicy, RunningWorker, Status};
use naq_testing::FaultProxy;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::dead::{broken_worker, healthy_worker, letter};
use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::setup::{Bed, ECHO, Gate, LONG, job_id};

const PLAIN: Kind<Value, Value> = Kind::new("echo").queue("mail");
const STRICT: Kind<Value, Value> = PLAIN.strict();

/// A worker whose handler waits at the gate, then returns its worker.
async fn gated(jobs: &Jobs, gate: &Gate) -> RunningWorker {
    let gate = gate.clone();
    let handler = move |job: JobContext, _: Value| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Ok::<_, JobError>(json!(job.worker_id()))
        }
    };
    let worker = jobs.worker().queue("mail").handle(ECHO, handler);
    worker.start().await.unwrap()
}

/// The first run is done, and what it says is held up in the network until a second one runs.
struct Overtaken {
    bed: Bed,
    proxy: FaultProxy,
    first: RunningWorker,
    second: RunningWorker,
    /// Where the second one stands.
    gate: Gate,
    handle: JobHandle<Value>,
}

async fn overtaken(kind: Kind<Value, Value>) -> Overtaken {
    let short = |s: &mut naq_config::Settings| s.queues.ack_wait = Duration::from_secs(2);
    let bed = Bed::with(short).await;
    let proxy = FaultProxy::to(&bed.server.url());
    let far = bed.other(|s| {
        short(s);
        s.nats.servers = vec![proxy.url()];
    });
    let (far, gates) = (far.await, [Gate::new(), Gate::new()]);
    let first = gated(&far, &gates[0]).await;
    let job = kind.job(&json!(1)).unwrap();
    let handle = bed.jobs.enqueue(job).await.unwrap();
    gates[0].started(1).await;
    let second = gated(&bed.jobs, &gates[1]).await;
    proxy.stall();
    gates[0].open(1);
    gates[1].started(1).await;
    let [_, gate] = gates;
    Overtaken {
        bed,
        proxy,
        first,
        second,
        gate,
        handle,
    }
}

#[tokio::test]
async fn a_plain_job_is_settled_by_the_run_that_is_done_first() {
    let it = overtaken(PLAIN).await;
    it.proxy.resume();
    let first = it.first.id().to_owned();
    assert_eq!(it.handle.outcome(LONG).await.unwrap().worker, first);
    it.gate.open(1);
    it.bed.emptied().await;
    let outcome = it.handle.outcome(LONG).await.unwrap();
    assert_eq!(outcome.worker, first, "never overwritten");
    it.first.stop(LONG).await;
    it.second.stop(LONG).await;
}

#[tokio::test]
async fn a_strict_job_is_settled_by_its_newest_run_alone() {
    let it = overtaken(STRICT).await;
    let second = it.second.id().to_owned();
    it.proxy.resume();
    // It has settled, or been refused, when it has stopped.
    let report = it.first.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (0, 0), "{report:?}");
    let results = it.bed.jobs.results();
    assert!(results.find(it.handle.id()).await.unwrap().is_none());
    it.gate.open(1);
    assert_eq!(it.handle.outcome(LONG).await.unwrap().worker, second);
    let report = it.second.stop(LONG).await;
    assert_eq!(report.completed, 1, "{report:?}");
    it.bed.emptied().await;
}

#[tokio::test]
async fn the_fence_grows_with_each_run_and_only_strict_jobs_pay_for_it() {
    let bed = Bed::new().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let handler = move |job: JobContext, fails: Value| {
        let tell = tell.clone();
        async move {
            tell.send(job.fence()).unwrap();
            match u64::from(job.attempt()) <= fails.as_u64().unwrap() {
                true => Err(JobError::message("not yet")),
                false => Ok(fails),
            }
        }
    };
    let worker = bed.jobs.worker().queue("mail").handle(ECHO, handler);
    let worker = worker.start().await.unwrap();
    let put = async |kind: Kind<Value, Value>, fails: u64, id: &str| {
        let retry = RetryPolicy::fixed(2, Duration::from_secs(1));
        let job = kind.job(&json!(fails)).unwrap().retry(retry);
        let handle = bed.jobs.enqueue(job.id(job_id(id))).await.unwrap();
        assert_eq!(handle.result(LONG).await.unwrap(), json!(fails));
    };
    put(PLAIN, 0, "plain").await;
    assert_eq!(told.recv().await.unwrap(), None);
    let written = bed.subjects("naq_results", "naq.*.plain").await;
    assert_eq!(written, ["naq.result.plain"]);
    put(STRICT, 2, "strict").await;
    let mut last = None;
    for _ in 0..3 {
        let fence = told.recv().await.unwrap();
        assert!(fence > last, "{fence:?} after {last:?}");
        last = fence;
    }
    let claims = bed.subjects("naq_results", "naq.claim.*").await;
    assert_eq!(claims, ["naq.claim.strict"]);
    // Nobody sees a claim who looks for outcomes.
    let outcomes = bed.jobs.results().list(0, 10).await.unwrap().outcomes;
    assert_eq!(outcomes.len(), 2);
    assert_eq!(bed.jobs.stock().await.unwrap().outcomes, 2);
    // A job whose result is not kept has nothing to fence, so a strict one keeps it.
    let job = STRICT.job(&json!(0)).unwrap().discard_result();
    let handle = bed.jobs.enqueue(job).await.unwrap();
    assert!(handle.outcome(LONG).await.unwrap().is_success());
    worker.stop(LONG).await;
    bed.emptied().await;
}

#[tokio::test]
async fn a_worker_that_dies_behind_its_claim_or_its_outcome_leaves_a_job_that_ends_once() {
    for place in ["claim-stored", "outcome-stored"] {
        let (bed, ledger) = (Bed::new().await, LedgerFile::new());
        let url = bed.server.url();
        let job = WORK.job(&1).unwrap().strict().id(job_id("one"));
        let handle = bed.jobs.enqueue(job).await.unwrap();
        WorkerProcess::start(&url, &ledger, &[("NAQ_DIE_AT", place)])
            .died()
            .await;
        let heir = WorkerProcess::start(&url, &ledger, &[]);
        assert!(handle.outcome(LONG).await.unwrap().is_success(), "{place}");
        bed.emptied().await;
        assert!(heir.terminate().await);
        assert_eq!(ledger.ends().remove("one"), Some(1), "{place}");
    }
}

#[tokio::test]
async fn a_strict_job_is_cancelled_buried_and_requeued_as_any_other() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = gated(&bed.jobs, &gate).await;
    let handle = bed
        .jobs
        .enqueue(STRICT.job(&json!(1)).unwrap())
        .await
        .unwrap();
    gate.started(1).await;
    let cancel = bed.jobs.cancel(handle.id()).grace(Duration::ZERO);
    assert!(cancel.await.unwrap().is_cancelled());
    let outcome = handle.outcome(LONG).await.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    let report = worker.stop(LONG).await;
    assert_eq!(report.completed, 0, "{report:?}");
    bed.emptied().await;

    let worker = broken_worker(&bed, &["mail"]).await;
    let job = STRICT.job(&json!(2)).unwrap();
    let handle = bed.jobs.enqueue(job).await.unwrap();
    letter(&bed, handle.id()).await;
    worker.stop(LONG).await;
    bed.jobs.dead_letters().requeue(handle.id()).await.unwrap();
    let worker = healthy_worker(&bed, "mail").await;
    bed.emptied().await;
    worker.stop(LONG).await;
    assert_eq!(handle.result(LONG).await.unwrap(), json!(2));
}

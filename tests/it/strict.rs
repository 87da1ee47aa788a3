//! Strict jobs: only the newest run settles. The lines of the failure table of 0013.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use naq_jobs::{JobContext, JobError, JobHandle, Jobs, Kind, RetryPolicy, RunningWorker, Status};
use naq_testing::{Direction, FaultProxy, TestCluster, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::crash::leader_of;
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

/// The process goes on behind a network that takes what it says, and gives nothing back until it is cut.
#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_found_again_and_the_job_runs_once() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let proxy = FaultProxy::to(&bed.server.url());
    let job = WORK.job(&1).unwrap().strict().id(job_id("one"));
    let handle = bed.jobs.enqueue(job).await.unwrap();
    let settings = [
        ("NAQ_STOP_AT", "claim-ready"),
        ("NAQ_DEFAULT_ACK_WAIT", "20s"),
    ];
    let worker = WorkerProcess::start(&proxy.url(), &ledger, &settings);
    worker.stopped().await;
    proxy.stall_one(Direction::ToClient);
    worker.signal(Signal::CONT);
    eventually(LONG, async || {
        let claims = bed.subjects("naq_results", "naq.claim.*").await;
        (claims == ["naq.claim.one"]).then_some(()).ok_or(claims)
    })
    .await;
    assert_eq!(ledger.entries(), [], "it waits for the answer");
    // What was held back is lost with the connection.
    proxy.cut();
    proxy.resume();
    let outcome = async || bed.jobs.results().find(handle.id()).await.unwrap();
    let outcome = eventually(LONG, async || outcome().await.ok_or("no outcome")).await;
    assert!(outcome.is_success());
    assert_eq!(outcome.attempt, 1);
    bed.emptied().await;
    assert!(worker.terminate().await);
    let ran: Vec<_> = ledger.entries().into_iter().map(|e| e.what).collect();
    assert_eq!(ran, ["start", "end"]);
    // The second claim was refused: it was not needed.
    let written = bed.server.jsz().await;
    assert_eq!(written.stream("naq_results").unwrap().last_seq, 2);
}

/// The process of the first run is stopped at `place`, for longer than its lease, and goes on while the second one runs.
async fn stopped_at(place: &str) {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let url = bed.server.url();
    let job = WORK.job(&3000).unwrap().strict().id(job_id("one"));
    let handle = bed.jobs.enqueue(job).await.unwrap();
    let first = WorkerProcess::start(&url, &ledger, &[("NAQ_STOP_AT", place)]);
    first.stopped().await;
    let stopped = Instant::now();
    let second = WorkerProcess::start(&url, &ledger, &[]);
    let pid = second.pid();
    let begun = ledger.wait_for(LONG, |entry| entry.pid == pid).await;
    // Time itself: the lease began for the server when it sent the job, for the first one when that arrived.
    tokio::time::sleep_until(stopped + WorkerProcess::LEASE).await;
    first.signal(Signal::CONT);
    // Read, not awaited: who awaits writes a mark beside the outcomes, which are counted here.
    let outcome = async || bed.jobs.results().find(handle.id()).await.unwrap();
    let outcome = eventually(LONG, async || outcome().await.ok_or("no outcome")).await;
    assert!(outcome.is_success());
    assert!(
        outcome.worker.contains(&format!("-{pid}-")),
        "{place}: {outcome:?}"
    );
    bed.emptied().await;
    // Both have said all that they had to say when they have ended.
    assert!(first.terminate().await && second.terminate().await);
    let before = ledger.entries().into_iter().find(|e| e.pid != pid);
    let claims = match before {
        // It had begun, so it has claimed, and its token is the older one.
        Some(before) => {
            assert!(before.fence > 0 && before.fence < begun.fence, "{place}");
            2
        }
        None => 1,
    };
    let results = bed.server.jsz().await;
    let written = results.stream("naq_results").unwrap().last_seq;
    assert_eq!(written, claims + 1, "{place}: claims and one outcome");
    let after = handle.outcome(LONG).await.unwrap();
    assert_eq!(after.worker, outcome.worker, "{place}");
    let letters = bed.server.jsz().await.messages("naq_failed_jobs");
    assert_eq!(letters, 0, "{place}");
}

#[tokio::test]
async fn a_process_that_was_stopped_right_before_its_claim_or_its_outcome_is_refused() {
    // After the handler it looks at the clock before it says anything; at the two others it has looked already.
    tokio::join!(
        stopped_at("claim-ready"),
        stopped_at("handler-ended"),
        stopped_at("outcome-ready")
    );
}

#[tokio::test]
async fn a_claim_that_expires_under_a_running_job_does_not_keep_its_outcome_from_being_written() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = gated(&bed.jobs, &gate).await;
    let job = STRICT.job(&json!(1)).unwrap().id(job_id("long"));
    let handle = bed.jobs.enqueue(job).await.unwrap();
    gate.started(1).await;
    // As the server would at its time to live.
    let gone = json!({ "filter": "naq.claim.long" });
    let gone = bed.ask("STREAM.PURGE.naq_results", gone).await;
    assert_eq!(gone["purged"], 1, "{gone}");
    gate.open(1);
    assert!(handle.outcome(LONG).await.unwrap().is_success());
    bed.emptied().await;
    assert_eq!(worker.stop(LONG).await.completed, 1);
}

/// Three copies, and the node that leads dies in the middle, while a worker is stopped past its leases.
#[tokio::test]
async fn strict_jobs_end_once_on_three_nodes_that_lose_their_leader() {
    let (cluster, ledger) = (TestCluster::start().await, LedgerFile::new());
    let jobs = Jobs::connect(cluster.settings()).await.unwrap();
    let urls = cluster.urls().join(",");
    let settings = [("NAQ_REPLICAS", "3"), ("NAQ_REQUEST_TIMEOUT", "2s")];
    let stopped = WorkerProcess::start(&urls, &ledger, &settings);
    let worker = WorkerProcess::start(&urls, &ledger, &settings);
    let job = || WORK.job(&20).unwrap().strict();
    let handles = jobs.enqueue_many((0..200).map(|_| job())).await;
    let handles: Vec<_> = handles.into_iter().map(Result::unwrap).collect();
    eventually(LONG, async || {
        let done = ledger.ends().len();
        if done >= 30 { Ok(()) } else { Err(done) }
    })
    .await;
    stopped.signal(Signal::STOP);
    let held = ledger.entries();
    let leader = leader_of(&jobs, &cluster).await;
    cluster.node(leader).kill().await.unwrap();
    cluster.node(leader).start_again().await.unwrap();
    // What the stopped one had in hand is run by the other one first.
    let pid = worker.pid();
    let is_begun = |id: &str| held.iter().any(|e| e.id == id && e.what == "end");
    let open: Vec<_> = held
        .iter()
        .filter(|e| e.pid == stopped.pid() && !is_begun(&e.id))
        .map(|e| e.id.clone())
        .collect();
    for id in &open {
        ledger.wait_for(LONG, |e| e.id == *id && e.pid == pid).await;
    }
    stopped.signal(Signal::CONT);
    let mut workers = Vec::new();
    for handle in &handles {
        let outcome = handle.outcome(LONG).await.unwrap();
        assert!(outcome.is_success(), "{outcome:?}");
        workers.push(outcome.worker);
    }
    assert!(stopped.terminate().await && worker.terminate().await);
    for (handle, worker) in handles.iter().zip(&workers) {
        let outcome = handle.outcome(LONG).await.unwrap();
        assert_eq!(outcome.worker, *worker, "never overwritten");
    }
    // Each run has a token of its own, and the outcome is that of the newest.
    let mut runs: HashMap<String, BTreeMap<u64, u32>> = HashMap::new();
    for entry in ledger.entries().into_iter().filter(|e| e.what == "start") {
        let before = runs
            .entry(entry.id.clone())
            .or_default()
            .insert(entry.fence, entry.pid);
        assert!(entry.fence > 0 && before.is_none(), "{entry:?}");
    }
    for (handle, worker) in handles.iter().zip(&workers) {
        let (_, pid) = runs[handle.id().as_str()].last_key_value().unwrap();
        assert!(worker.contains(&format!("-{pid}-")), "{worker} {runs:?}");
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

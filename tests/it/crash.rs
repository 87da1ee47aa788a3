//! Workers and servers that die, stop and come back.

use std::time::{Duration, Instant};

use naq_jobs::{FailureReason, JobHandle, Jobs};
use naq_testing::{TestCluster, eventually, eventually_eq};
use rustix::process::Signal;

use crate::dead::letter;
use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::setup::{Bed, LONG};

const RESULTS: &str = "naq_results";

/// Enqueues `count` jobs of `millis` each.
async fn enqueue(jobs: &Jobs, count: usize, millis: u64) -> Vec<JobHandle<u64>> {
    let jobs = jobs
        .enqueue_many((0..count).map(|_| WORK.job(&millis).unwrap()))
        .await;
    jobs.into_iter().map(Result::unwrap).collect()
}

/// Outcomes that the server has ever stored: the sequence counts each one, replaced ones too.
async fn outcomes(bed: &Bed) -> u64 {
    bed.server
        .jsz()
        .await
        .stream(RESULTS)
        .map_or(0, |s| s.last_seq)
}

/// AC-20, and the 1,000 jobs.
#[tokio::test]
async fn a_killed_worker_loses_nothing_and_each_outcome_is_recorded_once() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let jobs = enqueue(&bed.jobs, 1000, 3).await;
    let victim = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    eventually(LONG, async || {
        let done = outcomes(&bed).await;
        if done >= 200 { Ok(()) } else { Err(done) }
    })
    .await;
    victim.kill().await;
    let done = outcomes(&bed).await;
    assert!(done < 1000, "killed too late: {done}");
    let heir = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(outcomes(&bed).await, 1000);
    for job in &jobs {
        assert_eq!(job.result(LONG).await.unwrap(), 3);
    }
    // What was running when the worker died ran again, and nothing else did.
    let repeated = ledger.ends().into_values().filter(|&ends| ends > 1).count();
    assert!(
        repeated <= 10,
        "{repeated} jobs ended twice, the worker had 10 slots"
    );
    assert!(heir.terminate().await);
}

/// AC-23, in the middle of work.
#[tokio::test]
async fn a_server_restart_in_the_middle_loses_nothing_without_a_worker_restart() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let worker = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    let jobs = enqueue(&bed.jobs, 1000, 3).await;
    eventually(LONG, async || {
        let done = outcomes(&bed).await;
        if done >= 200 { Ok(()) } else { Err(done) }
    })
    .await;
    bed.server.kill().await.unwrap();
    bed.server.start_again().await.unwrap();
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(outcomes(&bed).await, 1000);
    for job in &jobs {
        assert_eq!(job.result(LONG).await.unwrap(), 3);
    }
    // The killed server has forgotten its last deliveries and made them again; the worker has not.
    assert!(
        ledger.ends().into_values().all(|ends| ends == 1),
        "a job ran twice"
    );
    assert!(worker.terminate().await);
}

/// AC-23, between jobs: the worker is back soon after the server.
#[tokio::test]
async fn a_worker_goes_on_by_itself_after_a_server_restart_between_jobs() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let worker = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    assert_eq!(
        enqueue(&bed.jobs, 1, 1).await[0]
            .result(LONG)
            .await
            .unwrap(),
        1
    );
    bed.server.kill().await.unwrap();
    bed.server.start_again().await.unwrap();
    let back = Instant::now();
    assert_eq!(
        enqueue(&bed.jobs, 1, 2).await[0]
            .result(LONG)
            .await
            .unwrap(),
        2
    );
    assert!(
        back.elapsed() < Duration::from_secs(5),
        "{:?}",
        back.elapsed()
    );
    assert!(worker.terminate().await);
}

/// A job that ends while the server is away is settled when it is back, and does not run again.
#[tokio::test]
async fn a_job_that_ends_during_an_outage_is_settled_afterwards() {
    let bed = Bed::with(|s| s.queues.ack_wait = Duration::from_secs(30)).await;
    let ledger = LedgerFile::new();
    let settings = [("NAQ_DEFAULT_ACK_WAIT", "30s")];
    let worker = WorkerProcess::start(&bed.server.url(), &ledger, &settings);
    let job = enqueue(&bed.jobs, 1, 1500).await.remove(0);
    ledger.wait_for(LONG, |entry| entry.what == "start").await;
    bed.server.kill().await.unwrap();
    ledger.wait_for(LONG, |entry| entry.what == "end").await;
    bed.server.start_again().await.unwrap();
    assert_eq!(job.result(LONG).await.unwrap(), 1500);
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(ledger.entries().len(), 2, "{:?}", ledger.entries());
    assert!(worker.terminate().await);
}

/// The lease of a stopped process lapses; awake again, it must neither settle the job nor touch its delivery.
#[tokio::test]
async fn a_worker_that_slept_through_its_lease_disturbs_nothing() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let sleeper = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    let job = enqueue(&bed.jobs, 1, 3000).await.remove(0);
    ledger.wait_for(LONG, |entry| entry.what == "start").await;
    sleeper.signal(Signal::STOP);
    let stopped = Instant::now();
    let owner = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    let second = ledger
        .wait_for(LONG, |e| e.what == "start" && e.pid == owner.pid())
        .await;
    assert_eq!(second.attempt, 2);
    // Time itself: the lease began for the server when it sent the job, for the sleeper when that arrived.
    tokio::time::sleep_until((stopped + WorkerProcess::LEASE).into()).await;
    // The sleeper wakes while the owner is at work, long after its own three seconds and its lease are over.
    sleeper.signal(Signal::CONT);
    let outcome = job.outcome(LONG).await.unwrap();
    let workers = bed.jobs.workers().await.unwrap();
    let named = workers
        .iter()
        .find(|w| w.record.worker_id == outcome.worker)
        .unwrap();
    assert_eq!(
        named.record.pid,
        owner.pid(),
        "the outcome is not the owner's"
    );
    assert_eq!((outcome.attempt, outcome.is_success()), (2, true));
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let starts = ledger
        .entries()
        .into_iter()
        .filter(|e| e.what == "start")
        .count();
    assert_eq!(
        starts,
        2,
        "the job was delivered a third time: {:?}",
        ledger.entries()
    );
    // The sleeper is well: it takes the next job when it is alone.
    assert!(owner.terminate().await);
    let next = enqueue(&bed.jobs, 1, 1).await.remove(0);
    assert_eq!(next.result(LONG).await.unwrap(), 1);
    assert!(sleeper.terminate().await);
}

/// AC-20: a job in hand when its worker is killed runs again elsewhere.
#[tokio::test]
async fn a_job_in_hand_of_a_killed_worker_runs_again_elsewhere() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let victim = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    let job = enqueue(&bed.jobs, 1, 800).await.remove(0);
    ledger.wait_for(LONG, |entry| entry.what == "start").await;
    let victim_pid = victim.pid();
    victim.kill().await;
    let heir = WorkerProcess::start(&bed.server.url(), &ledger, &[]);
    assert_eq!(job.outcome(LONG).await.unwrap().attempt, 2);
    let ends: Vec<_> = ledger
        .entries()
        .into_iter()
        .filter(|e| e.what == "end")
        .collect();
    assert_eq!(ends.len(), 1);
    assert_ne!(ends[0].pid, victim_pid);
    assert!(heir.terminate().await);
}

/// W-10: a job that kills its workers is not delivered for ever, and does not run a fourth time.
#[tokio::test]
async fn a_job_that_kills_its_workers_is_parked_without_being_run_again() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let job = enqueue(&bed.jobs, 1, 60_000).await.remove(0);
    let settings = [("NAQ_DEFAULT_ACK_WAIT", "1s")];
    for run in 1..=3 {
        let victim = WorkerProcess::start(&bed.server.url(), &ledger, &settings);
        ledger.wait_for(LONG, |entry| entry.attempt == run).await;
        victim.kill().await;
    }
    let heir = WorkerProcess::start(&bed.server.url(), &ledger, &settings);
    let dead = letter(&bed, job.id()).await;
    assert_eq!(dead.reason, "deliveries");
    let failure = job.outcome(LONG).await.unwrap().error.unwrap();
    assert_eq!(failure.reason, FailureReason::Deliveries);
    assert!(failure.message.contains("queues.max_deliver"), "{failure}");
    assert_eq!(ledger.entries().len(), 3, "{:?}", ledger.entries());
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert!(heir.terminate().await);
}

/// AC-20: SIGTERM lets a short job finish, and hands a long one back at once.
#[tokio::test]
async fn a_terminated_worker_finishes_or_hands_back() {
    let bed = Bed::with(|s| s.queues.ack_wait = Duration::from_secs(60)).await;
    let ledger = LedgerFile::new();
    let settings = [
        ("NAQ_DEFAULT_ACK_WAIT", "60s"),
        ("NAQ_WORKER_SHUTDOWN_TIMEOUT", "1s"),
    ];
    let first = WorkerProcess::start(&bed.server.url(), &ledger, &settings);
    let short = enqueue(&bed.jobs, 1, 500).await.remove(0);
    let long = enqueue(&bed.jobs, 1, 8000).await.remove(0);
    for id in [short.id().as_str(), long.id().as_str()] {
        ledger
            .wait_for(LONG, |e| e.what == "start" && e.id == id)
            .await;
    }
    assert!(first.terminate().await);
    let handed_back = Instant::now();
    assert_eq!(short.outcome(LONG).await.unwrap().attempt, 1);
    let second = WorkerProcess::start(&bed.server.url(), &ledger, &settings);
    let again = |e: &crate::process::Entry| e.what == "start" && e.pid == second.pid();
    assert_eq!(ledger.wait_for(LONG, again).await.id, long.id().as_str());
    assert!(
        handed_back.elapsed() < Duration::from_secs(20),
        "waited for the lease to end"
    );
    assert_eq!(long.outcome(LONG).await.unwrap().attempt, 2);
    assert!(second.terminate().await);
}

/// `max_reconnect_attempts` ends a worker, with an error, and does not leave it there in silence.
#[tokio::test]
async fn a_worker_ends_with_an_error_when_the_connection_is_given_up() {
    let bed = Bed::new().await;
    let jobs = bed.other(|s| s.nats.max_reconnect_attempts = Some(3)).await;
    let mut worker = jobs.worker().start().await.unwrap();
    bed.server.kill().await.unwrap();
    let error = tokio::time::timeout(LONG, worker.failed()).await.unwrap();
    assert_eq!(
        error.kind(),
        naq_jobs::JobsErrorKind::Disconnected,
        "{error}"
    );
    let stopping = Instant::now();
    worker.stop(Duration::ZERO).await;
    assert!(stopping.elapsed() < Duration::from_secs(15));
}

/// The node that leads the stream of jobs.
pub(crate) async fn leader_of(jobs: &Jobs, cluster: &TestCluster) -> usize {
    let conn = jobs.connections().connection().await.unwrap();
    let info = conn.request("$JS.API.STREAM.INFO.naq_jobs", "").await;
    let info: serde_json::Value = serde_json::from_slice(&info.unwrap().payload).unwrap();
    let leader = info["cluster"]["leader"].as_str().unwrap();
    let mut nodes = cluster.nodes().iter();
    nodes.position(|node| node.name() == leader).unwrap()
}

/// The same binary on three nodes with three copies, and the node that leads the jobs dies: nothing is lost.
#[tokio::test]
async fn three_replicas_survive_the_loss_of_the_leader() {
    let (cluster, ledger) = (TestCluster::start().await, LedgerFile::new());
    let jobs = Jobs::connect(cluster.settings()).await.unwrap();
    let urls = cluster.urls().join(",");
    let settings = [("NAQ_REPLICAS", "3"), ("NAQ_REQUEST_TIMEOUT", "2s")];
    let worker = WorkerProcess::start(&urls, &ledger, &settings);
    let handles = enqueue(&jobs, 300, 5).await;
    eventually(LONG, async || {
        let done = ledger.ends().len();
        if done >= 50 { Ok(()) } else { Err(done) }
    })
    .await;
    let leader = leader_of(&jobs, &cluster).await;
    cluster.node(leader).kill().await.unwrap();
    for handle in &handles {
        let outcome = handle.outcome(LONG).await.unwrap();
        assert!(outcome.is_success(), "{outcome:?}");
    }
    let survivors = cluster.jsz((leader + 1) % 3).await;
    let jobs_stream = survivors.stream("naq_jobs");
    assert!(jobs_stream.is_some(), "{survivors:?}");
    assert!(worker.terminate().await);
}

/// Without a majority the servers answer that they are "temporarily unavailable". A worker that starts meanwhile waits.
#[tokio::test]
async fn a_worker_that_starts_while_a_cluster_has_no_leader_waits_for_one() {
    let cluster = TestCluster::start().await;
    let jobs = Jobs::connect(cluster.settings()).await.unwrap();
    for node in [0, 1] {
        cluster.node(node).kill().await.unwrap();
    }
    // They are silent at first.
    eventually(LONG, async || {
        let conn = jobs.connections().connection().await;
        let conn = conn.map_err(|e| e.to_string())?;
        let refused = conn.request("$JS.API.STREAM.NAMES", "").await;
        let refused = refused.map_err(|e| e.to_string())?;
        let refused: serde_json::Value = serde_json::from_slice(&refused.payload).unwrap();
        match refused["error"]["err_code"].as_u64() {
            Some(10008) => Ok(()),
            _ => Err(refused.to_string()),
        }
    })
    .await;
    let controls = jobs.controls();
    let kind = naq_jobs::KindName::new("echo").unwrap();
    let error = controls.pause_kind(&kind, None).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let heal = async { cluster.node(0).start_again().await.unwrap() };
    let worker = jobs.worker().handle(
        crate::setup::ECHO,
        async |_: naq_jobs::JobContext, value| Ok::<_, naq_jobs::JobError>(value),
    );
    let (worker, ()) = tokio::join!(worker.start(), heal);
    worker.unwrap().stop(LONG).await;
}

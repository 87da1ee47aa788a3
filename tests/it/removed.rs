//! Jobs that are cancelled or replaced on three nodes whose leaders move: the others stay where a worker gets them.
//!
//! The server's own purge, and a rollup, do not see to that (`docs/design/0012-faults.md`): with them this test found jobs that nobody
//! would ever get in four of six runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use naq_connection::Connection;
use naq_jobs::{Jobs, JobsErrorKind, PurgePlan, QueueName, Unique};
use naq_testing::{TestCluster, eventually};
use serde_json::{Value, json};

use crate::setup::{ECHO, LONG, echo, show_logs};

/// Time in which leaders move: the chance of this test to see what it looks for.
const STORM: Duration = Duration::from_secs(8);

/// Wait for what a pull brings, and for an answer of a leader that has just gone.
const SOON: Duration = Duration::from_nanos(SOON_NS);
const SOON_NS: u64 = 300_000_000;

/// A consumer that has nothing left has told the stream by then. Every half minute the server removes what is behind a consumer.
const SETTLED: Duration = Duration::from_secs(5);

const CONSUMER: &str = "naq-worker-naq_default_queue";

async fn ask(conn: &Connection, verb: &str, body: Value) -> Option<Value> {
    let asked = conn.request(format!("$JS.API.{verb}"), body.to_string());
    let answer = tokio::time::timeout(SOON, asked).await.ok()?.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}

/// Enqueues; every fifth job is cancelled at once, every seventh is replaced.
async fn produce(jobs: &Jobs, stop: &AtomicBool, lane: usize) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let job = ECHO.job(&json!(n)).unwrap();
        if n % 7 == 0 {
            let key = || Unique::key(format!("{lane}-{n}")).replace();
            jobs.enqueue(job.unique(key())).await.unwrap();
            let job = ECHO.job(&json!("new")).unwrap();
            jobs.enqueue(job.unique(key())).await.unwrap();
            continue;
        }
        let handle = jobs.enqueue(job).await.unwrap();
        if n % 5 == 0 {
            // Not found: it was taken and acknowledged already.
            match jobs.cancel(handle.id()).await {
                Err(error) if error.kind() != JobsErrorKind::NotFound => panic!("{error}"),
                _ => {}
            }
        }
    }
}

/// A program that takes jobs by the bytes on the wire, and acknowledges them, or dies with some in hand.
async fn take(jobs: &Jobs, stop: &AtomicBool, drops: bool) {
    let conn = jobs.connections().connection().await.unwrap();
    while !stop.load(Ordering::Relaxed) {
        let inbox = conn.new_inbox();
        let mut taken = conn.subscribe(inbox.clone()).await.unwrap();
        let next = format!("$JS.API.CONSUMER.MSG.NEXT.naq_jobs.{CONSUMER}");
        let pull = json!({ "batch": 10, "expires": SOON_NS }).to_string();
        let sent = conn.publish_with_reply(next, inbox, HeaderMap::new(), pull);
        sent.await.unwrap();
        while let Ok(Some(message)) = tokio::time::timeout(SOON, taken.next()).await {
            let (None, Some(reply)) = (message.status, message.reply) else {
                break;
            };
            if !(drops && fastrand::bool()) {
                conn.publish(reply, "+ACK").await.unwrap();
            }
        }
    }
}

async fn move_leaders(jobs: &Jobs, stop: &AtomicBool) {
    let conn = jobs.connections().connection().await.unwrap();
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let verb = match turn % 3 {
            0 => "STREAM.LEADER.STEPDOWN.naq_jobs".to_owned(),
            _ => format!("CONSUMER.LEADER.STEPDOWN.naq_jobs.{CONSUMER}"),
        };
        // A leader that was not there yet cannot go.
        drop(ask(&conn, &verb, json!({})).await);
        // The pace of the moves is the subject.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// What the consumer has still to give out or in hand, and what the stream has for it.
async fn left(conn: &Connection) -> Option<(u64, u64)> {
    let consumer = ask(
        conn,
        &format!("CONSUMER.INFO.naq_jobs.{CONSUMER}"),
        json!({}),
    )
    .await?;
    let stream = ask(conn, "STREAM.INFO.naq_jobs", json!({})).await?;
    let known = consumer["num_pending"].as_u64()? + consumer["num_ack_pending"].as_u64()?;
    Some((known, stream["state"]["messages"].as_u64()?))
}

#[tokio::test]
async fn what_is_removed_while_leaders_move_leaves_no_other_job_behind_its_consumer() {
    show_logs();
    let cluster = TestCluster::start().await;
    let mut settings = cluster.settings();
    settings.queues.ack_wait = Duration::from_secs(1);
    let jobs = Jobs::connect(settings).await.unwrap();
    let worker = jobs.worker().handle(ECHO, echo).start().await.unwrap();
    worker.stop(LONG).await;
    let stop = AtomicBool::new(false);
    let storm = async {
        tokio::time::sleep(STORM).await;
        stop.store(true, Ordering::Relaxed);
    };
    let producers = futures::future::join_all((0..4).map(|lane| produce(&jobs, &stop, lane)));
    let takers = futures::future::join_all((0..3).map(|_| take(&jobs, &stop, true)));
    tokio::join!(storm, producers, takers, move_leaders(&jobs, &stop));

    let conn = jobs.connections().connection().await.unwrap();
    let (stop, mut since) = (AtomicBool::new(false), None);
    let drained = async {
        let behind = eventually(LONG, async || match left(&conn).await {
            Some((0, 0)) => Ok(0),
            Some((0, there)) if since.get_or_insert_with(Instant::now).elapsed() > SETTLED => {
                Ok(there)
            }
            other => Err(other),
        });
        let behind = behind.await;
        stop.store(true, Ordering::Relaxed);
        behind
    };
    let (behind, ()) = tokio::join!(drained, take(&jobs, &stop, false));
    assert_eq!(behind, 0, "jobs that nobody would get");
}

#[tokio::test]
async fn a_queue_of_a_cluster_is_purged_without_the_servers_purge() {
    show_logs();
    let cluster = TestCluster::start().await;
    let jobs = Jobs::connect(cluster.settings()).await.unwrap();
    for n in 0..20 {
        let job = ECHO.job(&json!(n)).unwrap();
        jobs.enqueue(job).await.unwrap();
    }
    let conn = jobs.connections().connection().await.unwrap();
    let purge = "$JS.API.STREAM.PURGE.naq_jobs";
    let mut heard = conn.subscribe(purge.to_owned()).await.unwrap();
    let (queue, mut told) = (QueueName::new("naq_default_queue").unwrap(), Vec::new());
    let plan = PurgePlan::default();
    let gone = jobs.purge_with(&queue, plan, |gone| told.push(gone)).await;
    assert_eq!((gone.unwrap(), told.last()), (20, Some(&20)));
    assert_eq!(jobs.stock().await.unwrap().waiting, 0);
    // The first purge that is heard is this one.
    let own = r#"{"filter":"naq.bulk.none"}"#;
    ask(
        &conn,
        "STREAM.PURGE.naq_jobs",
        serde_json::from_str(own).unwrap(),
    )
    .await;
    let first = tokio::time::timeout(LONG, heard.next()).await.unwrap();
    assert_eq!(first.unwrap().payload, own);
}

//! What an operator changes while jobs run: pause, quiet, scale, limit, stop. All of it reaches workers of other
//! processes, which have connections of their own.

use std::time::{Duration, Instant};

use naq_jobs::{
    JobContext, JobError, Jobs, JobsErrorKind, Kind, KindName, QueueName, QueueSetting,
    RunningWorker,
};
use naq_testing::{eventually, eventually_eq};
use rustix::process::Signal;
use serde_json::json;

use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::setup::{Bed, ECHO, Gate, LONG, echo};

/// Stands before the gate.
const WAIT: Kind<u32, u32> = Kind::new("wait").queue("mail");

fn mail() -> QueueName {
    QueueName::new("mail").unwrap()
}

async fn gated(jobs: &Jobs, gate: &Gate, slots: u32) -> RunningWorker {
    let gate = gate.clone();
    jobs.worker()
        .queue("mail")
        .concurrency(slots)
        .handle(WAIT, move |_: JobContext, n: u32| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok::<_, JobError>(n)
            }
        })
        .start()
        .await
        .unwrap()
}

async fn enqueue(jobs: &Jobs, count: u32) {
    for result in jobs
        .enqueue_many((0..count).map(|n| WAIT.job(&n).unwrap()))
        .await
    {
        result.unwrap();
    }
}

/// Pull requests that are open at the server.
async fn open_requests(bed: &Bed) -> u64 {
    bed.consumer("mail").await["num_waiting"].as_u64().unwrap()
}

/// Jobs of `mail` that the server has delivered and that are not acknowledged.
async fn leased(bed: &Bed) -> u64 {
    bed.consumer("mail").await["num_ack_pending"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_paused_queue_delivers_nothing_to_anybody_until_it_is_resumed() {
    let bed = Bed::new().await;
    let controls = bed.jobs.controls().by("tests");
    let mut workers = Vec::new();
    for _ in 0..2 {
        let jobs = bed.other(|_| {}).await;
        let worker = jobs
            .worker()
            .queue("mail")
            .queue("other")
            .handle(ECHO, echo);
        workers.push(worker.start().await.unwrap());
    }
    let set = controls
        .pause_queue(&mail(), Some("relay down"))
        .await
        .unwrap();
    let paused = set.paused.unwrap();
    assert_eq!(
        (paused.reason.as_deref(), paused.by.as_deref()),
        (Some("relay down"), Some("tests"))
    );
    assert_eq!(bed.consumer("mail").await["paused"], true);
    let job = ECHO.job(&json!(1)).unwrap().queue("mail").unwrap();
    let waiting = bed.jobs.enqueue(job).await.unwrap();
    // A worker that starts now keeps to it, also if it has to make the consumer.
    bed.ask("CONSUMER.DELETE.naq_jobs.naq-worker-mail", json!({}))
        .await;
    let late = bed.other(|_| {}).await;
    let late = late
        .worker()
        .queue("mail")
        .handle(ECHO, echo)
        .start()
        .await
        .unwrap();
    assert_eq!(bed.consumer("mail").await["paused"], true);
    // What comes later in another queue is done, so the workers had time for the first.
    for n in 0..20 {
        let job = ECHO.job(&json!(n)).unwrap().queue("other").unwrap();
        bed.run(job).await;
    }
    assert_eq!(bed.deliveries("mail").await, 0);
    let again = controls
        .pause_queue(&mail(), Some("another reason"))
        .await
        .unwrap();
    assert_eq!(again.paused, Some(paused), "the first pause stays");
    controls.resume_queue(&mail()).await.unwrap();
    assert_eq!(waiting.result(LONG).await.unwrap(), json!(1));
    assert_eq!(controls.queue(&mail()).await.unwrap().paused, None);
    late.stop(LONG).await;
    for worker in workers {
        worker.stop(LONG).await;
    }
}

/// A pause or resume of which only the setting was written is finished by the workers, at their next connection.
#[tokio::test]
async fn a_pause_that_was_left_half_done_is_finished_by_a_worker() {
    let bed = Bed::new().await;
    let worker = bed
        .jobs
        .worker()
        .queue("mail")
        .handle(ECHO, echo)
        .start()
        .await
        .unwrap();
    let conn = bed.conn().await;
    let body = r#"{"v":1,"paused":{"since_ms":1}}"#;
    conn.publish_acked("naq.setting.queue.mail", async_nats::HeaderMap::new(), body)
        .await
        .unwrap();
    assert_eq!(bed.consumer("mail").await["paused"], json!(null));
    bed.jobs.connections().rotate("default").await.unwrap();
    eventually_eq(LONG, json!(true), async || {
        bed.consumer("mail").await["paused"].clone()
    })
    .await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_quiet_worker_takes_no_more_jobs_within_moments_and_finishes_what_it_runs() {
    let bed = Bed::new().await;
    let controls = bed.jobs.controls();
    let (one, two) = (bed.other(|_| {}).await, bed.other(|_| {}).await);
    let (gate_one, gate_two) = (Gate::new(), Gate::new());
    let first = gated(&one, &gate_one, 4).await;
    enqueue(&bed.jobs, 1).await;
    gate_one.started(1).await;
    let second = gated(&two, &gate_two, 4).await;
    eventually_eq(LONG, 2, async || open_requests(&bed).await).await;
    // The time until its requests are gone from the server, over several rounds: the machine may be busy in one.
    let mut times = Vec::new();
    for _ in 0..7 {
        let start = Instant::now();
        controls.quiet_worker(first.id(), None).await.unwrap();
        eventually(LONG, async || match open_requests(&bed).await {
            1 => Ok(()),
            seen => Err(seen),
        })
        .await;
        let took = start.elapsed();
        times.push(took.saturating_sub(bed.slack().await));
        controls.resume_worker(first.id()).await.unwrap();
        eventually_eq(LONG, 2, async || open_requests(&bed).await).await;
    }
    times.sort();
    println!("quiet after {times:?}");
    assert!(times[3] < Duration::from_millis(100), "{times:?}");
    controls
        .quiet_worker(first.id(), Some("deploy"))
        .await
        .unwrap();
    eventually_eq(LONG, 1, async || open_requests(&bed).await).await;
    enqueue(&bed.jobs, 3).await;
    gate_two.started(3).await;
    assert_eq!(gate_one.ever(), 1);
    gate_one.open(1);
    assert_eq!(first.stop(LONG).await.completed, 1);
    gate_two.open(9);
    assert_eq!(second.stop(LONG).await.completed, 3);
    let left = bed.subjects("naq_settings", "naq.setting.worker.*").await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn workers_are_scaled_while_they_run_and_running_jobs_keep_their_slots() {
    let bed = Bed::new().await;
    let controls = bed.jobs.controls();
    let (one, two) = (bed.other(|_| {}).await, bed.other(|_| {}).await);
    let gate = Gate::new();
    let workers = [gated(&one, &gate, 2).await, gated(&two, &gate, 2).await];
    enqueue(&bed.jobs, 30).await;
    gate.started(4).await;
    controls.scale_queue(&mail(), Some(5)).await.unwrap();
    gate.started(10).await;
    controls
        .scale_worker(workers[0].id(), Some(6))
        .await
        .unwrap();
    gate.started(11).await;
    assert_eq!(leased(&bed).await, 11);
    // Down again: none of the running ones is touched, and then no more than two run.
    controls
        .scale_worker(workers[0].id(), Some(1))
        .await
        .unwrap();
    controls.scale_queue(&mail(), Some(1)).await.unwrap();
    eventually_eq(LONG, vec![1, 1], async || {
        let workers = bed.jobs.workers().await.unwrap();
        workers
            .iter()
            .map(|worker| worker.record.concurrency)
            .collect()
    })
    .await;
    gate.open(11);
    gate.started(13).await;
    eventually_eq(LONG, 2, async || leased(&bed).await).await;
    gate.open(1);
    gate.started(14).await;
    eventually_eq(LONG, 2, async || leased(&bed).await).await;
    // A worker that starts later is scaled, too.
    let three = bed.other(|_| {}).await;
    let third = gated(&three, &gate, 8).await;
    gate.started(15).await;
    eventually_eq(LONG, 3, async || leased(&bed).await).await;
    gate.open(100);
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let mut done = third.stop(LONG).await.completed;
    for worker in workers {
        done += worker.stop(LONG).await.completed;
    }
    assert_eq!(done, 30);
    let error = controls.scale_queue(&mail(), Some(0)).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::Configuration);
}

/// AC-19 in part: limits of one queue, in each worker and over all of them.
#[tokio::test]
async fn a_queue_has_a_limit_in_each_worker_and_one_over_all() {
    let bed = Bed::new().await;
    let controls = bed.jobs.controls();
    let gate = Gate::new();
    let mut workers = Vec::new();
    for _ in 0..2 {
        let jobs = bed.other(|settings| {
            let config = settings.queues.configs.entry("mail".into()).or_default();
            config.concurrency = Some(2);
        });
        workers.push(gated(&jobs.await, &gate, 8).await);
    }
    enqueue(&bed.jobs, 40).await;
    gate.started(4).await;
    eventually_eq(LONG, 4, async || leased(&bed).await).await;
    controls
        .limit_queue(&mail(), |set| set.concurrency = Some(3))
        .await
        .unwrap();
    gate.started(6).await;
    eventually_eq(LONG, 6, async || leased(&bed).await).await;
    controls
        .limit_queue(&mail(), |set| {
            set.concurrency = Some(0);
            set.max_running = Some(7);
        })
        .await
        .unwrap();
    gate.started(7).await;
    for _ in 0..20 {
        gate.open(1);
    }
    gate.started(27).await;
    assert_eq!(gate.most(), 7, "over both workers");
    gate.open(20);
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    for worker in workers {
        worker.stop(LONG).await;
    }
}

#[tokio::test]
async fn a_worker_ends_when_it_is_told_to_from_elsewhere() {
    let bed = Bed::new().await;
    let other = bed.other(|_| {}).await;
    let worker = other
        .worker()
        .name("ended")
        .queue("mail")
        .handle(ECHO, echo);
    let running = Box::pin(worker.run_until(std::future::pending()));
    let told = async {
        let id = eventually(
            LONG,
            async || match &bed.jobs.workers().await.unwrap()[..] {
                [one] => Ok(one.record.worker_id.clone()),
                seen => Err(seen.len()),
            },
        )
        .await;
        let controls = bed.jobs.controls();
        controls.stop_worker(&id, Some("moved")).await.unwrap();
    };
    let (report, ()) = tokio::time::timeout(LONG, async { tokio::join!(running, told) })
        .await
        .unwrap();
    report.unwrap();
    eventually_eq(LONG, 0, async || bed.jobs.workers().await.unwrap().len()).await;
    let controls = bed.jobs.controls();
    let error = controls.stop_worker("a.b", None).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::InvalidName);
}

/// What was set at run time is stored: it counts after a restart of the server, and for workers that come later.
#[tokio::test]
async fn what_was_set_at_run_time_counts_after_a_restart_of_the_server_for_new_workers() {
    let bed = Bed::new().await;
    let controls = bed.jobs.controls();
    let (kind, held) = (
        KindName::new("echo").unwrap(),
        QueueName::new("held").unwrap(),
    );
    controls
        .pause_queue(&held, Some("its API is down"))
        .await
        .unwrap();
    controls.pause_kind(&kind, None).await.unwrap();
    controls
        .limit_queue(&mail(), |set| set.max_running = Some(2))
        .await
        .unwrap();
    controls.scale_queue(&mail(), Some(4)).await.unwrap();
    bed.server.restart().await.unwrap();
    let (gate, mut workers) = (Gate::new(), Vec::new());
    for _ in 0..2 {
        workers.push(gated(&bed.other(|_| {}).await, &gate, 8).await);
    }
    let other = bed.other(|_| {}).await;
    let other = other
        .worker()
        .queue("held")
        .queue("free")
        .handle(ECHO, echo);
    workers.push(other.start().await.unwrap());
    enqueue(&bed.jobs, 10).await;
    let put = async |queue: &str| {
        let job = ECHO.job(&json!(queue)).unwrap().queue(queue).unwrap();
        bed.jobs.enqueue(job).await.unwrap()
    };
    let (in_held, in_free) = (put("held").await, put("free").await);
    gate.started(2).await;
    let parked = async || bed.subjects("naq_jobs", "naq.parked.free.>").await.len();
    eventually_eq(LONG, 1, parked).await;
    for _ in 0..8 {
        gate.open(1);
    }
    gate.started(10).await;
    assert_eq!(gate.most(), 2, "the limit over all workers");
    eventually_eq(LONG, vec![4, 4], async || {
        let workers = bed.jobs.workers().await.unwrap().into_iter();
        let of_mail = workers.filter(|w| w.record.queues == ["mail"]);
        of_mail.map(|w| w.record.concurrency).collect()
    })
    .await;
    assert_eq!((parked().await, bed.deliveries("held").await), (1, 0));
    controls.resume_kind(&kind).await.unwrap();
    assert_eq!(in_free.result(LONG).await.unwrap(), json!("free"));
    controls.resume_queue(&held).await.unwrap();
    assert_eq!(in_held.result(LONG).await.unwrap(), json!("held"));
    gate.open(2);
    for worker in workers {
        worker.stop(LONG).await;
    }
}

/// What is set cannot be read when the first request goes out, as in an election: it was read before.
#[tokio::test]
async fn a_worker_never_begins_without_what_is_set() {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let one = |set: &mut QueueSetting| set.max_running_per_key = Some(1);
    bed.jobs.controls().limit_queue(&mail(), one).await.unwrap();
    let work = || WORK.job(&100).unwrap().queue("mail").unwrap();
    for _ in 0..4 {
        let job = work().limit_key("k").unwrap();
        bed.jobs.enqueue(job).await.unwrap();
    }
    let stop = [("NAQ_STOP_AT", "queues-prepared"), ("IT_QUEUES", "mail")];
    let worker = WorkerProcess::start(&bed.server.url(), &ledger, &stop);
    worker.stopped().await;
    let gone = bed.ask("STREAM.DELETE.naq_settings", json!({})).await;
    assert_eq!(gone["success"], true, "{gone}");
    worker.signal(Signal::CONT);
    bed.emptied().await;
    let what: Vec<String> = ledger.entries().into_iter().map(|e| e.what).collect();
    assert_eq!(what, ["start", "end"].repeat(4), "one at a time");
    assert!(worker.terminate().await);
}

//! Priorities: which jobs of a queue go first, and what that costs a queue that has none.

use std::time::{Duration, Instant};

use naq_jobs::{
    JobContext, JobError, Jobs, Kind, Priority, QueueName, QueueOrder, RetryPolicy, RunningWorker,
    Unique,
};
use naq_testing::eventually_eq;
use serde_json::json;

use crate::setup::{Bed, ECHO, LONG, Ledger, echo};

const RANKED: Kind<u32, u32> = Kind::new("ranked").queue("mail").retries(1);

fn mail() -> QueueName {
    QueueName::new("mail").unwrap()
}

async fn worker(jobs: &Jobs, ledger: &Ledger, slots: u32, millis: u64) -> RunningWorker {
    let ledger = ledger.clone();
    jobs.worker()
        .concurrency(slots)
        .handle(RANKED, move |context: JobContext, n: u32| {
            let ledger = ledger.clone();
            async move {
                ledger.note(&context);
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok::<_, JobError>(n)
            }
        })
        .start()
        .await
        .unwrap()
}

/// Enqueues `count` jobs, whose ids begin with their priority.
async fn enqueue(jobs: &Jobs, priority: Priority, count: u32) {
    let job = |n: u32| {
        let id = crate::setup::job_id(&format!("{priority}-{n}"));
        RANKED.job(&n).unwrap().priority(priority).id(id)
    };
    for result in jobs.enqueue_many((0..count).map(job)).await {
        result.unwrap();
    }
}

fn ranks(ledger: &Ledger) -> Vec<String> {
    let ids = ledger.ids();
    ids.iter()
        .map(|id| id.split('-').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn high_jobs_go_first_and_low_ones_last_strictly() {
    let bed = Bed::new().await;
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        enqueue(&bed.jobs, priority, 15).await;
    }
    let ledger = Ledger::default();
    let worker = worker(&bed.other(|_| {}).await, &ledger, 1, 1).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let ranks = ranks(&ledger);
    assert_eq!(ranks.len(), 45);
    assert!(ranks[..15].iter().all(|rank| rank == "high"), "{ranks:?}");
    assert!(ranks[30..].iter().all(|rank| rank == "low"), "{ranks:?}");
    worker.stop(LONG).await;
}

/// The worker learns by a push that there is a further priority, while it is busy with a backlog of another one.
#[tokio::test]
async fn a_high_job_overtakes_a_backlog_that_is_being_worked_off() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let worker = worker(&bed.other(|_| {}).await, &ledger, 2, 20).await;
    enqueue(&bed.jobs, Priority::Normal, 100).await;
    naq_testing::eventually(LONG, async || match ledger.ids().len() {
        10.. => Ok(()),
        few => Err(few),
    })
    .await;
    let before = ledger.ids().len();
    enqueue(&bed.jobs, Priority::High, 5).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let ranks = ranks(&ledger);
    let last = ranks.iter().rposition(|rank| rank == "high").unwrap();
    println!("{before} before, the last high one was number {last}");
    assert!(last < 90, "{ranks:?}");
    worker.stop(LONG).await;
}

#[tokio::test]
async fn with_weights_a_stream_of_high_jobs_does_not_stop_low_ones() {
    let bed = Bed::new().await;
    let controls = bed.jobs.controls();
    let weighted = Some(QueueOrder::Weighted);
    controls
        .limit_queue(&mail(), |set| set.order = weighted)
        .await
        .unwrap();
    for priority in Priority::ALL {
        enqueue(&bed.jobs, priority, 60).await;
    }
    let ledger = Ledger::default();
    let worker = worker(&bed.other(|_| {}).await, &ledger, 3, 1).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let ranks = ranks(&ledger);
    assert_eq!(ranks.len(), 180);
    let of = |rank: &str| ranks[..63].iter().filter(|r| *r == rank).count();
    println!(
        "of the first 63: {} high, {} normal, {} low",
        of("high"),
        of("normal"),
        of("low")
    );
    assert!(
        of("high") > of("normal") && of("normal") > of("low"),
        "{ranks:?}"
    );
    assert!(of("low") >= 3, "{ranks:?}");
    worker.stop(LONG).await;
}

/// One slot, three priorities: whichever gets a job is heard at once, and all come to an end.
#[tokio::test]
async fn an_idle_worker_with_one_slot_hears_of_every_priority_at_once() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let worker = worker(&bed.other(|_| {}).await, &ledger, 1, 0).await;
    for priority in [Priority::Low, Priority::High] {
        enqueue(&bed.jobs, priority, 1).await;
    }
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let mut times = Vec::new();
    for n in 0..4 {
        for priority in Priority::ALL {
            let job = RANKED.job(&n).unwrap().priority(priority);
            let start = Instant::now();
            bed.run(job).await;
            times.push(start.elapsed());
        }
    }
    times.sort();
    println!("{times:?}");
    assert!(times[6] < Duration::from_millis(200), "{times:?}");
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_retry_keeps_its_priority() {
    let bed = Bed::new().await;
    let worker = bed
        .jobs
        .worker()
        .handle(RANKED, async |context: JobContext, n: u32| {
            match context.attempt() {
                1 => Err(JobError::message("the first time")),
                _ => Ok(n),
            }
        })
        .start()
        .await
        .unwrap();
    let job = RANKED.job(&7).unwrap().priority(Priority::High);
    let job = bed.jobs.enqueue(job).await.unwrap();
    assert_eq!(job.result(LONG).await.unwrap(), 7);
    let info = bed
        .ask("CONSUMER.INFO.naq_jobs.naq-high-mail", json!({}))
        .await;
    assert_eq!(info["delivered"]["consumer_seq"], 2);
    assert_eq!(bed.deliveries("mail").await, 0);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_queue_without_priorities_has_one_consumer() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let worker = worker(&bed.jobs, &ledger, 2, 0).await;
    enqueue(&bed.jobs, Priority::Normal, 3).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let names = bed.ask("CONSUMER.NAMES.naq_jobs", json!({})).await;
    let names = names["consumers"].as_array().unwrap().clone();
    let of_the_queue = |name: &&serde_json::Value| name.as_str().unwrap().ends_with("-mail");
    let consumers: Vec<_> = names.iter().filter(of_the_queue).collect();
    assert_eq!(consumers, [&json!("naq-worker-mail")]);
    worker.stop(LONG).await;
}

/// Also a worker that starts while the queue is paused, and looks for jobs of each priority.
#[tokio::test]
async fn a_paused_queue_is_paused_for_all_its_priorities() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let first = worker(&bed.other(|_| {}).await, &ledger, 2, 0).await;
    for priority in Priority::ALL {
        enqueue(&bed.jobs, priority, 1).await;
    }
    eventually_eq(LONG, 3, async || ledger.ids().len()).await;
    let controls = bed.jobs.controls();
    controls.pause_queue(&mail(), None).await.unwrap();
    let second = worker(&bed.other(|_| {}).await, &ledger, 2, 0).await;
    let mut handles = Vec::new();
    for n in 0..9 {
        let priority = Priority::ALL[n % 3];
        let job = RANKED.job(&0).unwrap().priority(priority);
        handles.push(bed.jobs.enqueue(job).await.unwrap());
    }
    // Another queue of other workers goes on meanwhile, so there was time.
    let other = bed.other(|_| {}).await;
    let third = other
        .worker()
        .queue("free")
        .handle(ECHO, echo)
        .start()
        .await
        .unwrap();
    for n in 0..20 {
        let job = ECHO.job(&json!(n)).unwrap().queue("free").unwrap();
        bed.run(job).await;
    }
    assert_eq!(ledger.ids().len(), 3);
    let start = Instant::now();
    controls.resume_queue(&mail()).await.unwrap();
    for handle in handles {
        handle.result(LONG).await.unwrap();
    }
    println!("resumed after {:?}", start.elapsed());
    assert_eq!(ledger.ids().len(), 12);
    for worker in [first, second, third] {
        worker.stop(LONG).await;
    }
}

/// The header travels through the dead letters, and unique jobs have priorities, too.
#[tokio::test]
async fn unique_jobs_and_requeued_ones_keep_their_priority() {
    let bed = Bed::new().await;
    let high = |n: u32| RANKED.job(&n).unwrap().priority(Priority::High);
    let unique = high(1)
        .unique(Unique::key("one"))
        .id(crate::setup::job_id("unique-1"));
    bed.jobs.enqueue(unique).await.unwrap();
    let waiting = bed.subjects("naq_jobs", "naq.unique.mail.high.>").await;
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let broken = high(2).retry(RetryPolicy::fixed(0, Duration::ZERO));
    let broken = bed
        .jobs
        .enqueue(broken.id(crate::setup::job_id("broken-1")))
        .await
        .unwrap();
    let worker = bed
        .jobs
        .worker()
        .handle(RANKED, async |_: JobContext, n: u32| match n {
            2 => Err(JobError::fatal(JobError::message("broken"))),
            n => Ok(n),
        })
        .start()
        .await
        .unwrap();
    broken.outcome(LONG).await.unwrap();
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    worker.stop(LONG).await;
    bed.jobs.dead_letters().requeue(broken.id()).await.unwrap();
    let subjects = bed.subjects("naq_jobs", "naq.high.mail.*").await;
    assert_eq!(subjects, ["naq.high.mail.broken-1"]);
}

//! Limits over all workers: places per key, rates per queue and per key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use naq_jobs::{
    JobContext, JobError, JobHandle, Jobs, Kind, KindName, ParkedJobs, QueueName, QueueSetting,
    RunningWorker,
};
use naq_testing::eventually_eq;

use crate::process::{LedgerFile, WORK, WorkerProcess};
use crate::setup::{Bed, Gate, LONG, job_id};

/// Runs for so many milliseconds; counted by its tenant.
const TENANT: Kind<(String, u64), String> = Kind::new("tenant").queue("shared");

fn shared() -> QueueName {
    QueueName::new("shared").unwrap()
}

/// What ran at the same time, by tenant, over all workers of the test.
#[derive(Clone, Default)]
struct Crowd(Arc<Mutex<HashMap<String, Count>>>);

#[derive(Default, Clone)]
struct Count {
    now: u32,
    most: u32,
    starts: Vec<Instant>,
}

impl Crowd {
    fn enter(&self, tenant: &str) -> Inside {
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry(tenant.to_owned()).or_default();
        count.now += 1;
        count.most = count.most.max(count.now);
        count.starts.push(Instant::now());
        Inside(self.clone(), tenant.to_owned())
    }

    fn of(&self, tenant: &str) -> Count {
        self.0
            .lock()
            .unwrap()
            .get(tenant)
            .cloned()
            .unwrap_or_default()
    }
}

struct Inside(Crowd, String);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().get_mut(&self.1).unwrap().now -= 1;
    }
}

async fn worker(jobs: &Jobs, crowd: &Crowd, slots: u32) -> RunningWorker {
    let crowd = crowd.clone();
    jobs.worker()
        .concurrency(slots)
        .handle(
            TENANT,
            move |_: JobContext, (tenant, millis): (String, u64)| {
                let crowd = crowd.clone();
                async move {
                    let _inside = crowd.enter(&tenant);
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    Ok::<_, JobError>(tenant)
                }
            },
        )
        .start()
        .await
        .unwrap()
}

async fn enqueue(jobs: &Jobs, tenant: &str, count: usize, millis: u64) -> Vec<JobHandle<String>> {
    let job = || {
        TENANT
            .job(&(tenant.to_owned(), millis))
            .unwrap()
            .limit_key(tenant)
            .unwrap()
    };
    let handles = jobs.enqueue_many((0..count).map(|_| job())).await;
    handles.into_iter().map(Result::unwrap).collect()
}

async fn all_done_at_the_first_attempt(handles: Vec<JobHandle<String>>) {
    for handle in handles {
        let outcome = handle.outcome(LONG).await.unwrap();
        assert_eq!((outcome.error, outcome.attempt), (None, 1));
    }
}

#[tokio::test]
async fn no_more_jobs_of_a_key_run_than_may_over_three_workers() {
    const TENANTS: [&str; 3] = ["acme", "globex", "Zoë & Söhne"];
    let bed = Bed::new().await;
    let controls = bed.jobs.controls();
    controls
        .limit_queue(&shared(), |set| set.max_running_per_key = Some(2))
        .await
        .unwrap();
    let crowd = Crowd::default();
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(worker(&bed.other(|_| {}).await, &crowd, 4).await);
    }
    let mut handles = Vec::new();
    for tenant in TENANTS {
        handles.extend(enqueue(&bed.jobs, tenant, 25, 20).await);
    }
    let start = Instant::now();
    all_done_at_the_first_attempt(handles).await;
    println!("75 jobs in {:?}", start.elapsed());
    for tenant in TENANTS {
        let count = crowd.of(tenant);
        assert_eq!((count.most, count.starts.len()), (2, 25), "{tenant}");
    }
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    let places = bed.subjects("naq_limits", "naq.slot.>").await;
    assert!(places.is_empty(), "{places:?}");
    for worker in workers {
        assert_eq!(worker.stop(LONG).await.failed, 0);
    }
}

async fn all_that_is_parked_waits_for_a_limit(bed: &Bed) {
    let parked = bed.subjects("naq_jobs", "naq.parked.shared.*.*").await;
    let meant = ParkedJobs {
        for_limit: parked.len() as u64,
        ..ParkedJobs::default()
    };
    assert_eq!(bed.jobs.parked(&shared()).await.unwrap(), meant);
}

/// In two queues, beside a limit of the keys of one of them; raised and taken away while jobs wait.
#[tokio::test]
async fn no_more_jobs_of_a_kind_run_than_may_in_all_queues() {
    let bed = Bed::new().await;
    let (controls, kind) = (bed.jobs.controls(), KindName::new("tenant").unwrap());
    controls.limit_kind(&kind, Some(2)).await.unwrap();
    let one = |set: &mut QueueSetting| set.max_running_per_key = Some(1);
    controls.limit_queue(&shared(), one).await.unwrap();
    let gate = Gate::new();
    let mut workers = Vec::new();
    for _ in 0..2 {
        let (jobs, gate) = (bed.other(|_| {}).await, gate.clone());
        let handler = move |_: JobContext, (tenant, _): (String, u64)| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok::<_, JobError>(tenant)
            }
        };
        let worker = jobs.worker().queue("shared").queue("second").concurrency(8);
        workers.push(worker.handle(TENANT, handler).start().await.unwrap());
    }
    let mut handles = Vec::new();
    for (queue, tenant) in [("shared", "acme"), ("shared", "globex"), ("second", "acme")] {
        for _ in 0..4 {
            let job = TENANT
                .job(&(tenant.into(), 0))
                .unwrap()
                .queue(queue)
                .unwrap();
            let job = job.limit_key(tenant).unwrap();
            handles.push(bed.jobs.enqueue(job).await.unwrap());
        }
    }
    gate.started(2).await;
    // All others were looked at, and put aside: by their kind, or by their key.
    let parked = async || bed.subjects("naq_jobs", "naq.parked.>").await;
    eventually_eq(LONG, 10, async || parked().await.len()).await;
    all_that_is_parked_waits_for_a_limit(&bed).await;
    let by_kind = parked().await.into_iter().find(|s| s.contains(".most-"));
    let by_kind = by_kind.unwrap();
    let id = job_id(by_kind.rsplit('.').next().unwrap());
    let explained = bed.jobs.explain(&id).await.unwrap();
    let says = explained.reasons[0].to_string();
    assert!(
        says.starts_with("as many jobs of the kind tenant run as may: "),
        "{says}"
    );
    gate.open(2);
    gate.started(4).await;
    controls.limit_kind(&kind, Some(3)).await.unwrap();
    gate.started(5).await;
    gate.open(3);
    gate.started(8).await;
    assert_eq!(gate.most(), 3);
    controls.limit_kind(&kind, None).await.unwrap();
    gate.open(7);
    all_done_at_the_first_attempt(handles).await;
    bed.emptied().await;
    let places = bed.subjects("naq_limits", "naq.slot.>").await;
    assert!(places.is_empty(), "{places:?}");
    for worker in workers {
        worker.stop(LONG).await;
    }
}

/// Jobs that wait for a place hold no slot: the worker has four.
#[tokio::test]
async fn a_key_at_its_limit_does_not_hold_up_the_others() {
    let bed = Bed::with(|settings| {
        let config = settings.queues.configs.entry("shared".into()).or_default();
        config.max_running_per_key = Some(1);
    })
    .await;
    let crowd = Crowd::default();
    let worker = worker(&bed.jobs, &crowd, 4).await;
    let slow = enqueue(&bed.jobs, "slow", 12, 400).await;
    let start = Instant::now();
    all_done_at_the_first_attempt(enqueue(&bed.jobs, "quick", 20, 1).await).await;
    println!("20 quick ones in {:?}", start.elapsed());
    let behind = crowd.of("slow").starts.len();
    assert!(behind < 8, "{behind} of the slow ones came first");
    assert!(worker.report().parked > 0);
    all_done_at_the_first_attempt(slow).await;
    assert_eq!(crowd.of("slow").most, 1);
    worker.stop(LONG).await;
}

/// The places of a worker that was killed are taken over by its jobs, when they are delivered again.
#[tokio::test]
async fn nothing_is_stuck_after_a_worker_was_killed_that_held_all_places() {
    let bed = Bed::new().await;
    let queue = QueueName::new("naq_default_queue").unwrap();
    let controls = bed.jobs.controls();
    controls
        .limit_queue(&queue, |set| set.max_running_per_key = Some(2))
        .await
        .unwrap();
    let ledger = LedgerFile::new();
    let url = bed.server.url();
    let victim = WorkerProcess::start(&url, &ledger, &[]);
    let mut handles = Vec::new();
    for _ in 0..6 {
        let job = WORK.job(&1500).unwrap().limit_key("acme").unwrap();
        handles.push(bed.jobs.enqueue(job).await.unwrap());
    }
    ledger.wait_for(LONG, |entry| entry.what == "start").await;
    eventually_eq(LONG, 4, async || {
        bed.subjects("naq_jobs", "naq.parked.>").await.len()
    })
    .await;
    victim.kill().await;
    let heir = WorkerProcess::start(&url, &ledger, &[]);
    for handle in handles {
        assert_eq!(handle.result(LONG).await.unwrap(), 1500);
    }
    assert!(
        ledger.ends().values().all(|ends| *ends == 1),
        "{:?}",
        ledger.ends()
    );
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    eventually_eq(LONG, 0, async || {
        bed.subjects("naq_limits", "naq.slot.>").await.len()
    })
    .await;
    assert!(heir.terminate().await);
}

/// The failure table of `docs/design/0006-control.md`: a worker dies at `place` with jobs of one key, another one goes on.
async fn nothing_is_lost_or_stuck_after_dying_at(place: &str, limit: impl Fn(&mut QueueSetting)) {
    let (bed, ledger) = (Bed::new().await, LedgerFile::new());
    let queue = QueueName::new("naq_default_queue").unwrap();
    bed.jobs
        .controls()
        .limit_queue(&queue, limit)
        .await
        .unwrap();
    let mut handles = Vec::new();
    for _ in 0..4 {
        let job = WORK.job(&200).unwrap().limit_key("acme").unwrap();
        handles.push(bed.jobs.enqueue(job).await.unwrap());
    }
    let url = bed.server.url();
    WorkerProcess::start(&url, &ledger, &[("NAQ_DIE_AT", place)])
        .died()
        .await;
    let heir = WorkerProcess::start(&url, &ledger, &[]);
    for handle in handles {
        let outcome = handle.outcome(LONG).await.unwrap();
        assert_eq!(outcome.error, None, "{place}");
    }
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    eventually_eq(LONG, 0, async || {
        bed.subjects("naq_limits", "naq.slot.>").await.len()
    })
    .await;
    assert!(
        ledger.ends().values().all(|ends| *ends == 1),
        "{place}: {:?}",
        ledger.ends()
    );
    assert!(heir.terminate().await);
}

#[tokio::test]
async fn a_worker_may_die_wherever_it_takes_keeps_and_frees_places() {
    for place in [
        "place-taken",
        "job-parked",
        "outcome-stored",
        "place-freed",
        "next-released",
    ] {
        let one = |set: &mut QueueSetting| set.max_running_per_key = Some(1);
        nothing_is_lost_or_stuck_after_dying_at(place, one).await;
    }
}

#[tokio::test]
async fn a_worker_may_die_after_it_has_booked_a_start() {
    let slowly = |set: &mut QueueSetting| set.rate_per_key = "5/s burst 1".parse().ok();
    nothing_is_lost_or_stuck_after_dying_at("start-booked", slowly).await;
}

#[tokio::test]
async fn a_queue_keeps_to_its_rate_over_two_workers_and_holds_no_slots() {
    // A machine that stands still for a moment bends the rhythm: one of three times it is kept.
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (took, slack) = forty_a_second(240).await;
        seen.push((took, slack));
        // Each starts up to a quarter of a second late, by the server's schedule.
        if took < 239 * TURN + Duration::from_millis(300) + slack {
            return;
        }
    }
    panic!("the starts and the slack of the machine took {seen:?}");
}

/// Between the turns of two jobs of which forty a second may start.
const TURN: Duration = Duration::from_millis(25);

/// What so many starts take over two workers, none of them before its turn; and the slack of this machine.
async fn forty_a_second(count: usize) -> (Duration, Duration) {
    let bed = Bed::new().await;
    let controls = bed.jobs.controls();
    let rate = "40/s burst 1".parse().unwrap();
    controls
        .limit_queue(&shared(), |set| set.rate = Some(rate))
        .await
        .unwrap();
    let crowd = Crowd::default();
    let mut workers = Vec::new();
    for _ in 0..2 {
        workers.push(worker(&bed.other(|_| {}).await, &crowd, 2).await);
    }
    let begun = Instant::now();
    let handles = enqueue(&bed.jobs, "all", count, 1).await;
    all_done_at_the_first_attempt(handles).await;
    let mut starts = crowd.of("all").starts;
    starts.sort();
    for (start, nth) in starts.iter().zip(0..) {
        let after = start.duration_since(begun);
        assert!(after + TURN >= TURN * nth, "start {nth} after {after:?}");
    }
    let slack = bed.slack().await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    for worker in workers {
        worker.stop(LONG).await;
    }
    (starts[count - 1] - starts[0], slack)
}

#[tokio::test]
async fn each_key_has_a_rate_of_its_own_and_the_others_go_on() {
    let bed = Bed::with(|settings| {
        let config = settings.queues.configs.entry("shared".into()).or_default();
        config.rate_per_key = Some("10/s burst 2".parse().unwrap());
    })
    .await;
    let crowd = Crowd::default();
    let worker = worker(&bed.jobs, &crowd, 2).await;
    let start = Instant::now();
    let mut handles = Vec::new();
    for tenant in ["acme", "globex"] {
        handles.extend(enqueue(&bed.jobs, tenant, 22, 1).await);
    }
    // Without a key there is no limit, and no slot is held by those that wait.
    let free = TENANT.job(&("free".to_owned(), 1)).unwrap();
    bed.run(free).await;
    let passed = start.elapsed();
    let started = |tenant| crowd.of(tenant).starts.len();
    assert!(started("acme") + started("globex") < 44, "none waits");
    all_done_at_the_first_attempt(handles).await;
    for tenant in ["acme", "globex"] {
        let starts = crowd.of(tenant).starts;
        // Two at once, then twenty in the rhythm of a tenth of a second.
        let took = starts.iter().max().unwrap().duration_since(start);
        println!("{tenant}: 22 within {took:?}; free passed after {passed:?}");
        assert!(took >= Duration::from_millis(1950), "{took:?}");
    }
    worker.stop(LONG).await;
}

/// A job of `acme` that runs in a worker without a free slot, with the only place; and who it is.
async fn held(bed: &Bed, crowd: &Crowd) -> (RunningWorker, String) {
    let set = bed.jobs.controls();
    set.limit_queue(&shared(), |set| set.max_running_per_key = Some(1))
        .await
        .unwrap();
    let runs = worker(&bed.jobs, crowd, 1).await;
    let job = TENANT.job(&("acme".into(), 600_000)).unwrap();
    let job = job.limit_key("acme").unwrap();
    let id = bed.jobs.enqueue(job).await.unwrap().id().to_string();
    eventually_eq(LONG, 1, async || crowd.of("acme").now).await;
    (runs, id)
}

/// Lease of those jobs: nobody takes it for lapsed on a busy machine.
const LEASE: Duration = Duration::from_secs(30);

/// As after the death of a server that had not written down that a lease was renewed.
#[tokio::test]
async fn a_job_that_was_given_to_another_worker_ends_where_it_ran() {
    let bed = Bed::with(|s| s.queues.ack_wait = LEASE).await;
    let (old, new) = (Crowd::default(), Crowd::default());
    let (was, _) = held(&bed, &old).await;
    let has = worker(&bed.other(|s| s.queues.ack_wait = LEASE).await, &new, 1).await;
    let conn = bed.conn().await;
    let delivery = "$JS.ACK.naq_jobs.naq-worker-shared.1.1.1.1.0";
    conn.publish(delivery, "-NAK").await.unwrap();
    eventually_eq(LONG, (0, 1), async || {
        (old.of("acme").now, new.of("acme").now)
    })
    .await;
    let places = bed.subjects("naq_limits", "naq.slot.>").await;
    assert_eq!(places.len(), 1, "the job has its place still: {places:?}");
    has.stop(Duration::ZERO).await;
    was.stop(Duration::ZERO).await;
    let places = bed.subjects("naq_limits", "naq.slot.>").await;
    assert!(places.is_empty(), "{places:?}");
}

#[tokio::test]
async fn a_worker_that_finds_its_place_with_another_one_ends_the_job() {
    let bed = Bed::with(|s| s.queues.ack_wait = Duration::from_secs(6)).await;
    let crowd = Crowd::default();
    let (runs, id) = held(&bed, &crowd).await;
    // Nobody says so but the place itself.
    let place = bed.subjects("naq_limits", "naq.slot.>").await.remove(0);
    let mut fields = async_nats::HeaderMap::new();
    fields.insert("Naq-Worker", "somebody-else");
    let conn = bed.conn().await;
    conn.publish_acked(place, fields, id).await.unwrap();
    eventually_eq(LONG, 0, async || crowd.of("acme").now).await;
    runs.stop(Duration::ZERO).await;
}

//! The limit of a queue that has several priorities: it counts them together.

use std::time::{Duration, Instant};

use naq_jobs::{JobContext, JobError, Jobs, Kind, Priority, QueueName, RunningWorker};
use naq_testing::{eventually, eventually_eq};
use rustix::process::{Pid, Signal, kill_process};

use crate::setup::{Bed, Gate, LONG, Ledger, job_id};

/// They stand before a gate as long as a busy machine takes to open it.
const RANKED: Kind<u32, u32> = Kind::new("ranked").queue("mail").timeout(LONG);

/// A server, and leases that no busy machine lets lapse.
async fn patient() -> Bed {
    Bed::with(|s| s.queues.ack_wait = LONG).await
}

async fn limit(jobs: &Jobs, most: u32) {
    let mail = QueueName::new("mail").unwrap();
    let set = jobs.controls();
    set.limit_queue(&mail, |set| set.max_running = Some(most))
        .await
        .unwrap();
}

async fn enqueue(jobs: &Jobs, priority: Priority, count: u32) {
    let hundreds = match priority {
        Priority::High => 100,
        Priority::Normal => 200,
        Priority::Low => 300,
    };
    let job = |n| RANKED.job(&(hundreds + n)).unwrap().priority(priority);
    for job in jobs.enqueue_many((0..count).map(job)).await {
        job.unwrap();
    }
}

/// A worker whose jobs stand before the gate.
async fn gated(jobs: &Jobs, gate: &Gate, ledger: &Ledger, slots: u32) -> RunningWorker {
    let (gate, ledger) = (gate.clone(), ledger.clone());
    jobs.worker()
        .concurrency(slots)
        .handle(RANKED, move |context: JobContext, n: u32| {
            let (gate, ledger) = (gate.clone(), ledger.clone());
            async move {
                ledger.note(&context);
                gate.pass().await;
                Ok::<_, JobError>(n)
            }
        })
        .start()
        .await
        .unwrap()
}

/// Jobs that the server has given to workers, of the queue `mail` at all priorities.
async fn given(bed: &Bed) -> u64 {
    let jsz = bed.server.jsz().await;
    let consumers = &jsz.stream("naq_jobs").unwrap().consumers;
    let mail = consumers.iter().filter(|c| c.name.ends_with("-mail"));
    mail.map(|consumer| consumer.num_ack_pending).sum()
}

#[tokio::test]
async fn the_limit_of_a_queue_counts_its_priorities_together_over_three_workers() {
    let bed = patient().await;
    limit(&bed.jobs, 3).await;
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        enqueue(&bed.jobs, priority, 20).await;
    }
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(
            gated(
                &bed.other(|s| s.queues.ack_wait = LONG).await,
                &gate,
                &ledger,
                4,
            )
            .await,
        );
    }
    gate.started(3).await;
    for done in 1..=57 {
        // The next high ones are in line before a place becomes free: three run, three more are given out.
        let left = 60_u64.saturating_sub(done);
        eventually(LONG, async || match given(&bed).await {
            given if given >= left.min(6) => Ok(()),
            given => Err(given),
        })
        .await;
        gate.open(1);
        gate.started(3 + usize::try_from(done).unwrap()).await;
    }
    gate.open(3);
    bed.emptied().await;
    assert_eq!((gate.most(), gate.ever()), (3, 60));
    // Over several workers a lower one may pass where the news of a free place comes later than by the 2 ms that it waits, on
    // a busy machine more than a few; if they took turns, the mean places would be the same.
    let order = started(&bed, &ledger).await;
    let [high, normal, low] = [1, 2, 3].map(|hundred| mean_place(&order, hundred));
    assert!(high + 5.0 < normal && normal < low, "{order:?}");
    for worker in workers {
        worker.stop(LONG).await;
    }
    let places = bed.subjects("naq_limits", "naq.slot.>").await;
    assert!(places.is_empty(), "{places:?}");
}

#[tokio::test]
async fn a_job_that_waits_in_line_is_in_flight_and_does_not_count_as_running() {
    let bed = patient().await;
    limit(&bed.jobs, 1).await;
    enqueue(&bed.jobs, Priority::High, 3).await;
    enqueue(&bed.jobs, Priority::Low, 1).await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let worker = gated(&bed.jobs, &gate, &ledger, 4).await;
    gate.started(1).await;
    let mail = QueueName::new("mail").unwrap();
    eventually(LONG, async || {
        let mail = bed.jobs.queue(&mail).await.unwrap();
        let seen = (mail.in_flight, mail.running, mail.waiting);
        (seen == (2, 1, 2)).then_some(()).ok_or(seen)
    })
    .await;
    gate.open(4);
    bed.emptied().await;
    worker.stop(LONG).await;
    let mail = bed.jobs.queue(&mail).await.unwrap();
    assert_eq!((mail.in_flight, mail.running, mail.waiting), (0, 0, 0));
}

/// What the jobs were given, in the order in which they started; each ran once.
async fn started(bed: &Bed, ledger: &Ledger) -> Vec<u32> {
    let mut order = Vec::new();
    for id in ledger.ids() {
        assert_eq!(ledger.attempts(&id), [1]);
        let outcome = bed.jobs.results().find(&job_id(&id)).await.unwrap();
        order.push(outcome.unwrap().into_result::<u32>().unwrap());
    }
    order
}

/// Where the jobs of one priority started, on the average.
fn mean_place(order: &[u32], hundred: u32) -> f64 {
    let of_it = (0_u32..)
        .zip(order)
        .filter(|(_, job)| *job / 100 == hundred);
    let places: Vec<f64> = of_it.map(|(place, _)| f64::from(place)).collect();
    places.iter().sum::<f64>() / places.len() as f64
}

#[tokio::test]
async fn jobs_that_wait_for_a_place_hold_no_slot_and_start_by_priority_and_age() {
    let bed = patient().await;
    limit(&bed.jobs, 1).await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let other = bed.other(|s| s.queues.ack_wait = LONG).await;
    let worker = gated(&other, &gate, &ledger, 4).await;
    let begun = Instant::now();
    enqueue(&bed.jobs, Priority::Low, 3).await;
    gate.started(1).await;
    // One of each priority is given out besides the place that there is.
    eventually_eq(LONG, 2, async || given(&bed).await).await;
    enqueue(&bed.jobs, Priority::Normal, 3).await;
    eventually_eq(LONG, 4, async || given(&bed).await).await;
    enqueue(&bed.jobs, Priority::High, 3).await;
    // One runs and five wait here: they hold no slot, or the last ones could not have come to four.
    eventually_eq(LONG, 6, async || given(&bed).await).await;
    let took = begun.elapsed();
    // Two of a priority are given out at the most, and of a lower one no further ones while a higher one has more.
    for (next, all_given) in (2..).zip([6, 5, 5, 4, 3, 3, 3, 2]) {
        eventually_eq(LONG, all_given, async || given(&bed).await).await;
        gate.open(1);
        gate.started(next).await;
    }
    gate.open(1);
    bed.emptied().await;
    assert_eq!(gate.most(), 1);
    let order = started(&bed, &ledger).await;
    assert_eq!(order, [300, 100, 101, 102, 200, 201, 202, 301, 302]);
    assert_eq!(worker.stop(LONG).await.completed, 9);
    // A request that stays open for ten seconds was withdrawn when a priority came up.
    println!("all were given out after {took:?}");
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[tokio::test]
async fn a_waiting_job_starts_at_once_when_the_limit_is_raised_and_is_not_lost_with_its_worker() {
    let bed = Bed::with(|s| s.queues.ack_wait = 3 * LONG).await;
    limit(&bed.jobs, 1).await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let near = gated(&bed.jobs, &gate, &ledger, 4).await;
    enqueue(&bed.jobs, Priority::High, 1).await;
    gate.started(1).await;
    enqueue(&bed.jobs, Priority::Low, 1).await;
    eventually_eq(LONG, 2, async || given(&bed).await).await;
    // Raised while it waits: the push calls it, long before a third of the lease is over.
    limit(&bed.jobs, 2).await;
    gate.started(2).await;
    enqueue(&bed.jobs, Priority::Low, 1).await;
    eventually_eq(LONG, 3, async || given(&bed).await).await;
    gate.open(2);
    gate.started(3).await;
    gate.open(1);
    bed.emptied().await;
    near.stop(LONG).await;
    // One that waits is handed back when its worker stops, and is the next one's.
    limit(&bed.jobs, 1).await;
    let other = Gate::new();
    let first = gated(&bed.jobs, &other, &ledger, 4).await;
    enqueue(&bed.jobs, Priority::High, 1).await;
    other.started(1).await;
    enqueue(&bed.jobs, Priority::Low, 1).await;
    eventually_eq(LONG, 2, async || given(&bed).await).await;
    let second = gated(
        &bed.other(|s| s.queues.ack_wait = 3 * LONG).await,
        &other,
        &ledger,
        4,
    )
    .await;
    let stopping = first.stop(LONG);
    let going_on = async {
        eventually(LONG, async || match given(&bed).await {
            2 => Ok(()),
            given => Err(given),
        })
        .await;
        other.open(2);
    };
    let (report, ()) = tokio::join!(stopping, going_on);
    assert_eq!((report.completed, report.handed_back), (1, 1), "{report:?}");
    bed.emptied().await;
    assert_eq!(second.stop(LONG).await.completed, 1);
}

/// What is not used costs nothing.
#[tokio::test]
async fn a_limited_queue_with_one_priority_takes_no_places() {
    let bed = Bed::new().await;
    limit(&bed.jobs, 2).await;
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let worker = gated(&bed.jobs, &gate, &ledger, 4).await;
    enqueue(&bed.jobs, Priority::Normal, 10).await;
    gate.open(10);
    bed.emptied().await;
    let limits = bed.server.jsz().await;
    assert_eq!(limits.stream("naq_limits").unwrap().last_seq, 0);
    assert!(gate.most() <= 2);
    worker.stop(LONG).await;
    eventually_eq(Duration::from_secs(5), 0, async || given(&bed).await).await;
}

#[tokio::test]
async fn a_place_is_freed_also_if_the_server_does_not_answer_when_its_job_ends() {
    let bed = patient().await;
    limit(&bed.jobs, 1).await;
    for (n, priority) in [(0, Priority::High), (1, Priority::Low)] {
        // Nothing is written at its end but that its place is free.
        let job = RANKED.job(&n).unwrap().priority(priority).discard_result();
        bed.jobs.enqueue(job).await.unwrap();
    }
    let (gate, ledger) = (Gate::new(), Ledger::default());
    let apart = bed.other(|s| s.queues.ack_wait = LONG).await;
    let worker = gated(&apart, &gate, &ledger, 4).await;
    gate.started(1).await;
    let conn = apart.connections().connection().await.unwrap();
    let mut states = conn.states();
    let server = Pid::from_raw(bed.server.pid().unwrap().cast_signed()).unwrap();
    kill_process(server, Signal::STOP).unwrap();
    gate.open(1);
    // What was asked then has failed.
    states.wait_for(|now| !now.is_connected()).await.unwrap();
    // Nor does it ever read what has arrived.
    bed.server.kill().await.unwrap();
    bed.server.start_again().await.unwrap();
    gate.started(2).await;
    gate.open(1);
    bed.emptied().await;
    assert_eq!(ledger.ids().len(), 2);
    worker.stop(LONG).await;
    let places = bed.subjects("naq_limits", "naq.slot.>").await;
    assert!(places.is_empty(), "{places:?}");
}

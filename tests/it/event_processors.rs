//! Handlers of events: they see each event, go on after a restart, and none can do harm.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use naq_jobs::{Event, EventType, Jobs, RunningProcessor};
use naq_testing::{eventually, eventually_eq};
use serde_json::json;

use crate::setup::{Bed, ECHO, LONG, echo};

type Seen = Arc<Mutex<Vec<String>>>;

async fn notes(jobs: &Jobs, seen: &Seen) -> RunningProcessor {
    let seen = Arc::clone(seen);
    let processor = jobs.events().processor("notes").unwrap();
    let note = move |event: Arc<Event>| {
        let seen = Arc::clone(&seen);
        async move {
            seen.lock()
                .unwrap()
                .push(event.job_id().unwrap().to_owned());
            Ok::<_, String>(())
        }
    };
    processor
        .on(EventType::Enqueued, note)
        .start()
        .await
        .unwrap()
}

async fn enqueue(bed: &Bed, count: usize) {
    let jobs = (0..count).map(|n| ECHO.job(&json!(n)).unwrap());
    for job in bed.jobs.enqueue_many(jobs).await {
        job.unwrap();
    }
    assert!(bed.jobs.events().flush(LONG).await);
}

/// AC-33.
#[tokio::test]
async fn a_processor_goes_on_where_it_was_after_a_restart() {
    let bed = Bed::new().await;
    let seen = Seen::default();
    let first = notes(&bed.jobs, &seen).await;
    enqueue(&bed, 3).await;
    eventually_eq(LONG, 3, async || seen.lock().unwrap().len()).await;
    assert_eq!(first.stop(LONG).await.handled, 3);
    // Nobody listens.
    enqueue(&bed, 4).await;
    let second = notes(&bed.jobs, &seen).await;
    eventually_eq(LONG, 7, async || seen.lock().unwrap().len()).await;
    second.stop(LONG).await;
    let mut ids = seen.lock().unwrap().clone();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 7, "each once");
    let events = bed.jobs.events();
    assert!(events.processor("notes").unwrap().forget().await.unwrap());
    assert!(!events.processor("notes").unwrap().forget().await.unwrap());
    assert!(events.processor("no.name").is_err());
}

/// AC-33: one handler fails, one panics, one hangs in its second event; the others and the jobs do not notice.
#[tokio::test]
async fn a_handler_that_fails_or_panics_harms_no_other_and_no_job() {
    let bed = Bed::new().await;
    let (tries, good) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (tried, handled) = (Arc::clone(&tries), Arc::clone(&good));
    let processor = bed.jobs.events().processor("mixed").unwrap();
    let processor = processor
        .on_all(move |_| {
            tried.fetch_add(1, Ordering::Relaxed);
            async { Err("the alert system is down") }
        })
        .on(EventType::Completed, async |_| -> Result<(), String> {
            panic!("a bug in a handler")
        })
        .on(EventType::Completed, move |_| {
            handled.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, String>(()) }
        })
        .filter(naq_jobs::EventFilter::new().types([EventType::Completed]))
        .start()
        .await
        .unwrap();
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    for n in 0..2 {
        let job = bed
            .jobs
            .enqueue(ECHO.job(&json!(n)).unwrap())
            .await
            .unwrap();
        job.result(Duration::from_secs(30)).await.unwrap();
    }
    eventually(LONG, async || {
        let report = processor.report();
        let done = report.handled == 2 && report.failed == 4;
        if done { Ok(()) } else { Err(report) }
    })
    .await;
    assert_eq!(good.load(Ordering::Relaxed), 2);
    assert_eq!(tries.load(Ordering::Relaxed), 6, "three tries each");
    assert_eq!(worker.stop(LONG).await.completed, 2);
    processor.stop(LONG).await;
}

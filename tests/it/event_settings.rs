//! What the settings say of events.

use std::time::Duration;

use naq_jobs::{Event, EventFilter, EventType, JobContext, JobError, Kind};
use naq_testing::eventually_eq;
use serde_json::json;

use crate::events::{echoed, quick, types, until};
use crate::setup::{Bed, ECHO, LONG, echo};

#[tokio::test]
async fn what_the_settings_filter_out_is_not_told() {
    let bed = Bed::with(|settings| {
        quick(settings);
        settings.events.filters.min_job_duration = Duration::from_millis(200);
        settings.events.filters.exclude_heartbeats = false;
        settings.workers.heartbeat_interval = Duration::from_millis(100);
        settings.events.subject_prefix = Some("audit.of_jobs".to_owned());
        settings.events.stream.name = Some("AUDIT".to_owned());
    })
    .await;
    let slow = Kind::<u64, ()>::new("slow");
    let worker = bed
        .jobs
        .worker()
        .handle(slow, async |_: JobContext, ms: u64| {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok::<_, JobError>(())
        });
    let mut live = bed.jobs.events().live(EventFilter::new()).await.unwrap();
    let worker = worker.start().await.unwrap();
    let mut ids = Vec::new();
    for ms in [1, 400] {
        let job = bed.jobs.enqueue(slow.job(&ms).unwrap()).await.unwrap();
        job.result(LONG).await.unwrap();
        ids.push(job.id().to_string());
    }
    let told = until(&mut live, EventType::Completed).await;
    assert!(types(&told).contains(&EventType::WorkerHeartbeat));
    let of = |id: &str| -> Vec<Event> {
        let of_job = told.iter().filter(|event| event.job_id() == Some(id));
        of_job.cloned().collect()
    };
    assert_eq!(types(&of(&ids[0])), [EventType::Enqueued]);
    let long = of(&ids[1]);
    assert_eq!(long.len(), 3);
    let at = |known| long.iter().find(|e| e.event_type == known).unwrap().at_ms;
    assert!(at(EventType::Completed) >= at(EventType::Started) + 400);
    worker.stop(LONG).await;
    assert!(bed.server.jsz().await.messages("AUDIT") > 0);
}

#[tokio::test]
async fn without_events_there_is_no_stream_and_nothing_is_sent() {
    let bed = Bed::with(|settings| settings.events.enabled = false).await;
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    for job in echoed(&bed, 10).await {
        job.result(LONG).await.unwrap();
    }
    worker.stop(LONG).await;
    let info = bed.ask("STREAM.INFO.naq_events", json!({})).await;
    assert_eq!(info["error"]["err_code"], 10059, "{info}");
}

/// Each reading is a consumer, and a stream may have so many.
#[tokio::test]
async fn who_reads_stored_events_often_leaves_no_consumers() {
    let bed = Bed::with(quick).await;
    let mut live = bed.jobs.events().live(EventFilter::new()).await.unwrap();
    let [job] = &echoed(&bed, 1).await[..] else {
        panic!("one job")
    };
    until(&mut live, EventType::Enqueued).await;
    for _ in 0..1100 {
        let events = bed.jobs.events();
        let recent = events.recent(10, EventFilter::new()).await.unwrap();
        assert_eq!(types(&recent), [EventType::Enqueued]);
    }
    let history = bed.jobs.events().history(job.id()).await.unwrap();
    assert_eq!(types(&history.events), [EventType::Enqueued]);
    eventually_eq(LONG, 1, async || {
        let jsz = bed.server.jsz().await;
        jsz.stream("naq_events").unwrap().consumers.len()
    })
    .await;
}

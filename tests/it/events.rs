//! What happens to jobs, workers and schedules, as a reader of the events gets it.

use std::time::{Duration, SystemTime};

use naq_config::Settings;
use naq_jobs::{
    Event, EventFilter, EventStream, EventType, JobContext, JobError, JobHandle, Kind, RetryPolicy,
};
use naq_testing::{FaultProxy, eventually};
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, LONG, echo, job_id};

const FAILS: Kind<(), ()> = Kind::new("mail.send").queue("mail");

/// Short, so that tests need not wait.
pub(crate) fn quick(settings: &mut Settings) {
    settings.events.flush_interval = Duration::from_millis(100);
}

async fn next(stream: &mut EventStream) -> Event {
    let next = tokio::time::timeout(LONG, stream.next()).await;
    next.expect("an event").unwrap().expect("no end")
}

/// The next events until one of type `last`, that one included.
pub(crate) async fn until(stream: &mut EventStream, last: EventType) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        events.push(next(stream).await);
        if events.last().unwrap().event_type == last {
            return events;
        }
    }
}

pub(crate) fn types(events: &[Event]) -> Vec<EventType> {
    events.iter().map(|event| event.event_type).collect()
}

async fn fails(_: JobContext, (): ()) -> Result<(), JobError> {
    Err(std::io::Error::other("no route").into())
}

pub(crate) async fn echoed(bed: &Bed, count: usize) -> Vec<JobHandle<Value>> {
    let jobs = (0..count).map(|n| ECHO.job(&json!(n)).unwrap());
    let sent = bed.jobs.enqueue_many(jobs).await;
    sent.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn who_cancels_a_job_that_no_worker_has_tells_of_it() {
    let bed = Bed::with(quick).await;
    let mut live = bed.jobs.events().live(EventFilter::new()).await.unwrap();
    let [job] = &echoed(&bed, 1).await[..] else {
        panic!("one job")
    };
    let cancel = bed.jobs.cancel(job.id()).reason("not needed");
    assert!(cancel.await.unwrap().is_cancelled());
    let told = until(&mut live, EventType::Cancelled).await;
    assert_eq!(types(&told), [EventType::Enqueued, EventType::Cancelled]);
    let cancelled = &told[1];
    assert_eq!(cancelled.job_id(), Some(job.id().as_str()));
    assert_eq!(cancelled.kind.as_deref(), Some("echo"));
    assert_eq!(cancelled.worker, None);
}

/// AC-32.
#[tokio::test]
async fn a_job_tells_its_life_and_its_history_is_whole() {
    let bed = Bed::with(quick).await;
    let mut live = bed.jobs.events().live(EventFilter::new()).await.unwrap();
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    let job = bed
        .jobs
        .enqueue(ECHO.job(&json!(1)).unwrap())
        .await
        .unwrap();
    job.result(LONG).await.unwrap();
    assert_eq!(worker.stop(LONG).await.completed, 1);
    // The end of the worker has sent everything.
    let history = bed.jobs.events().history(job.id()).await.unwrap();
    assert!(history.is_complete);
    let life = [
        EventType::Enqueued,
        EventType::Started,
        EventType::Completed,
    ];
    assert_eq!(types(&history.events), life);
    let [enqueued, started, completed] = &history.events[..] else {
        panic!("{history:?}")
    };
    for event in [enqueued, started, completed] {
        assert_eq!(event.job_id(), Some(job.id().as_str()));
        assert_eq!(event.kind.as_deref(), Some("echo"));
        assert_eq!(event.queue.as_deref(), Some("naq_default_queue"));
    }
    assert_eq!(
        (enqueued.worker.as_deref(), started.body.attempt),
        (None, Some(1))
    );
    assert!(started.body.wait_ms.is_some() && started.worker.is_some());
    assert_eq!(completed.worker, started.worker);
    assert!(completed.body.duration_ms.unwrap() > 0.0, "{completed:?}");

    let told = until(&mut live, EventType::WorkerStopped).await;
    let mut ids: Vec<_> = told.iter().map(Event::id).collect();
    ids.dedup();
    assert_eq!(ids.len(), told.len(), "each once");
    for known in [
        EventType::WorkerStarted,
        EventType::WorkerIdle,
        EventType::Completed,
    ] {
        assert_eq!(
            types(&told).iter().filter(|t| **t == known).count(),
            1,
            "{known} {told:?}"
        );
    }
    let stopped = told.last().unwrap();
    assert_eq!(stopped.body.details["pid"], std::process::id());
    assert!(!types(&told).contains(&EventType::WorkerHeartbeat));
}

/// AC-32.
#[tokio::test]
async fn a_failing_job_tells_its_retries_its_errors_and_its_way_back() {
    let bed = Bed::with(quick).await;
    let worker = bed
        .jobs
        .worker()
        .handle(FAILS, fails)
        .start()
        .await
        .unwrap();
    let waits = [Duration::from_millis(50), Duration::from_secs(1)];
    let job = FAILS.job(&()).unwrap().retry(RetryPolicy::table(waits));
    let job = bed.jobs.enqueue(job).await.unwrap();
    job.result(LONG).await.unwrap_err();
    let letters = bed.jobs.dead_letters();
    let letter = eventually(LONG, async || {
        letters.find(job.id()).await.unwrap().ok_or("none")
    })
    .await;
    worker.stop(LONG).await;
    assert!(letters.requeue(job.id()).await.is_ok(), "{letter:?}");
    assert!(bed.jobs.events().flush(LONG).await);
    let history = bed.jobs.events().history(job.id()).await.unwrap();
    use EventType as E;
    let life = [
        E::Enqueued,
        E::Started,
        E::RetryScheduled,
        E::Started,
        E::RetryScheduled,
        E::Started,
        E::Failed,
        E::DeadLettered,
        E::Requeued,
    ];
    assert_eq!(types(&history.events), life);
    let attempts: Vec<_> = history
        .events
        .iter()
        .map(|e| e.body.attempt.unwrap_or(0))
        .collect();
    assert_eq!(attempts, [0, 1, 1, 2, 2, 3, 3, 3, 0]);
    let second = &history.events[4];
    let wait = second.body.due_ms.unwrap() - second.at_ms;
    assert!((1000..1100).contains(&wait), "{wait}");
    for event in [&history.events[2], second, &history.events[6]] {
        assert_eq!(event.body.reason.as_deref(), Some("error"));
        assert_eq!(event.body.error.as_deref(), Some("no route"));
        assert!(
            event.body.error_type.as_deref().unwrap().contains("Error"),
            "{event:?}"
        );
    }
}

/// AC-32, E-01 to E-03: what schedules do.
#[tokio::test]
async fn a_schedule_and_a_delayed_job_tell_what_becomes_of_them() {
    let bed = Bed::with(quick).await;
    let mut live = bed.jobs.events().live(EventFilter::new()).await.unwrap();
    let later = ECHO
        .job(&json!(1))
        .unwrap()
        .delay(Duration::from_secs(3600));
    bed.jobs.enqueue(later).await.unwrap();
    let told = next(&mut live).await;
    assert_eq!(told.event_type, EventType::Scheduled);
    assert!(told.body.due_ms.unwrap() > told.at_ms + 3_590_000);

    let job = ECHO.job(&json!(2)).unwrap();
    let new = bed.jobs.schedule(job).every(Duration::from_secs(3600));
    let name = new.create("hourly").await.unwrap().name().clone();
    let schedules = bed.jobs.schedules();
    schedules.pause(&name).await.unwrap();
    // A second pause changes nothing, so it is not told.
    schedules.pause(&name).await.unwrap();
    schedules.resume(&name).await.unwrap();
    let made = schedules.trigger(&name).await.unwrap();
    assert!(schedules.delete(&name).await.unwrap());
    let mut told = until(&mut live, EventType::ScheduleCancelled).await;
    told.sort_by_key(|event| (event.at_ms, event.event_type));
    assert_eq!(told.len(), 6, "{told:?}");
    for known in [
        EventType::ScheduleCreated,
        EventType::SchedulePaused,
        EventType::ScheduleResumed,
        EventType::ScheduleTriggered,
        EventType::Enqueued,
        EventType::ScheduleCancelled,
    ] {
        let event = told.iter().find(|event| event.event_type == known).unwrap();
        assert_eq!(event.body.schedule.as_deref(), Some("hourly"));
        let of_a_job = matches!(known, EventType::ScheduleTriggered | EventType::Enqueued);
        assert_eq!(
            event.job_id(),
            of_a_job.then_some(made.as_str()),
            "{event:?}"
        );
    }
}

/// E-05, E-10: filters are the server's.
#[tokio::test]
async fn a_live_stream_gets_from_the_server_only_what_it_asked_for() {
    let bed = Bed::with(quick).await;
    let events = bed.jobs.events();
    let of_mail = EventFilter::new().queue("mail").kind("mail.send");
    let mut failed = events
        .live(of_mail.clone().types([EventType::Failed]))
        .await
        .unwrap();
    let mut mail = events.live(of_mail).await.unwrap();
    let mut one = events
        .live(EventFilter::new().job("the-one"))
        .await
        .unwrap();
    let worker = bed.jobs.worker().handle(FAILS, fails).handle(ECHO, echo);
    let worker = worker
        .queue("mail")
        .queue("naq_default_queue")
        .start()
        .await
        .unwrap();
    let mut own = events
        .live(EventFilter::new().worker(worker.id()))
        .await
        .unwrap();
    echoed(&bed, 30).await;
    let job = FAILS.job(&()).unwrap().id(job_id("the-one"));
    let job = bed.jobs.enqueue(job).await.unwrap();
    job.result(LONG).await.unwrap_err();

    assert_eq!(next(&mut failed).await.job_id(), Some("the-one"));
    let of_mail = until(&mut mail, EventType::DeadLettered).await;
    assert!(
        of_mail
            .iter()
            .all(|event| event.job_id() == Some("the-one"))
    );
    let of_one = until(&mut one, EventType::DeadLettered).await;
    assert_eq!(types(&of_one).len(), 4);
    let of_worker = until(&mut own, EventType::Failed).await;
    assert!(
        of_worker
            .iter()
            .all(|event| event.worker.as_deref() == Some(worker.id()))
    );
    // The server sent the first one nothing but its message.
    let readers = bed.ask("CONSUMER.LIST.naq_events", json!({})).await;
    let filters = json!(["naq.event.failed.mail.mail~send.*.*"]);
    let readers = readers["consumers"].as_array().unwrap();
    let reader = readers
        .iter()
        .find(|c| c["config"]["filter_subjects"] == filters);
    assert_eq!(
        reader.unwrap()["delivered"]["consumer_seq"],
        1,
        "{readers:?}"
    );
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_filter_takes_names_and_no_patterns() {
    let bed = Bed::with(quick).await;
    let events = bed.jobs.events();
    let wrong = events.live(EventFilter::new().queue("a.>"));
    let error = wrong.await.unwrap_err().to_string();
    assert!(error.contains("no name of a queue"), "{error}");
}

/// AC-32, E-04, E-06: many jobs, few messages, nothing twice, and reading takes nothing away.
#[tokio::test]
async fn events_of_many_jobs_share_messages_and_are_all_there_each_time() {
    let bed = Bed::with(quick).await;
    let since = SystemTime::now();
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    let jobs = echoed(&bed, 1000).await;
    for job in &jobs {
        job.result(LONG).await.unwrap();
    }
    worker.stop(LONG).await;
    let wanted = [
        EventType::Enqueued,
        EventType::Started,
        EventType::Completed,
    ];
    for _ in 0..2 {
        let filter = EventFilter::new().types(wanted);
        let mut replay = bed.jobs.events().replay(since, filter).await.unwrap();
        let all = replay.collect(usize::MAX).await.unwrap();
        for known in wanted {
            let of_type = all.iter().filter(|event| event.event_type == known);
            let mut ids: Vec<_> = of_type.map(|event| event.job_id().unwrap()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), 1000, "{known}");
        }
        assert_eq!(all.len(), 3000);
    }
    let messages = bed.server.jsz().await.messages("naq_events");
    assert!(messages < 600, "{messages}");
    // Among a thousand others a job is found as well.
    let history = bed.jobs.events().history(jobs[500].id()).await.unwrap();
    assert_eq!(types(&history.events), wanted);
    let stats = bed
        .jobs
        .events()
        .stats(2, &[naq_jobs::StatsBy::Queue])
        .await
        .unwrap();
    let row = stats
        .rows
        .iter()
        .find(|row| row.queue.as_deref() == Some("naq_default_queue"));
    let row = row.unwrap();
    for known in wanted {
        assert_eq!(row.count(known), 1000, "{known}");
    }
    assert!(row.mean_duration().is_some());
}

#[tokio::test]
async fn a_replay_begins_at_its_instant_and_recent_ones_are_the_last() {
    let bed = Bed::with(quick).await;
    let events = bed.jobs.events();
    echoed(&bed, 3).await;
    assert!(events.flush(LONG).await);
    let mut before = events
        .replay(SystemTime::UNIX_EPOCH, EventFilter::new())
        .await
        .unwrap();
    let first = before.collect(usize::MAX).await.unwrap();
    assert_eq!(first.len(), 3);
    // The server's clock and ours are the same in a test; what is stored from now on is later.
    let since = SystemTime::now();
    echoed(&bed, 2).await;
    assert!(events.flush(LONG).await);
    let mut after = events.replay(since, EventFilter::new()).await.unwrap();
    let second = after.collect(usize::MAX).await.unwrap();
    assert_eq!(second.len(), 2, "{second:?}");
    assert!(second[0].sequence > first[2].sequence);
    assert_eq!(events.recent(2, EventFilter::new()).await.unwrap(), second);
    let early = events
        .replay(SystemTime::UNIX_EPOCH, EventFilter::new())
        .await
        .unwrap();
    let early = early
        .until(first[2].at())
        .collect(usize::MAX)
        .await
        .unwrap();
    assert_eq!(early.first(), first.first());
    assert!(early.len() < 5);
}

#[tokio::test]
async fn a_live_stream_misses_nothing_while_its_connection_is_cut_and_its_consumer_deleted() {
    let bed = Bed::with(quick).await;
    let proxy = FaultProxy::to(&bed.server.url());
    let reader = bed
        .other(|settings| settings.nats.servers = vec![proxy.url()])
        .await;
    let mut live = reader.events().live(EventFilter::new()).await.unwrap();
    let mut seen = Vec::new();
    for round in 0..4 {
        let jobs = echoed(&bed, 5).await;
        assert!(bed.jobs.events().flush(LONG).await);
        for _ in &jobs {
            seen.push(next(&mut live).await);
        }
        if round == 1 {
            let readers = bed.ask("CONSUMER.NAMES.naq_events", json!({})).await;
            let name = readers["consumers"][0].as_str().unwrap();
            bed.ask(&format!("CONSUMER.DELETE.naq_events.{name}"), json!({}))
                .await;
        } else {
            proxy.cut();
        }
    }
    let of_jobs: Vec<_> = seen.iter().filter_map(Event::job_id).collect();
    let mut unique = of_jobs.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!((of_jobs.len(), unique.len()), (20, 20));
}

/// Nobody takes the events for a while: no job notices, and what was dropped is counted exactly.
#[tokio::test]
async fn an_outage_of_the_events_touches_no_job_and_the_gap_is_counted() {
    let bed = Bed::with(|settings| {
        quick(settings);
        settings.events.batch_size = 10;
        settings.events.max_buffer_size = 100;
    })
    .await;
    echoed(&bed, 1).await;
    assert!(bed.jobs.events().flush(LONG).await);
    let info = bed.ask("STREAM.INFO.naq_events", json!({})).await;
    let mut refusing = info["config"].clone();
    refusing["discard"] = "new".into();
    refusing["max_msgs"] = 1.into();
    let refused = bed.ask("STREAM.UPDATE.naq_events", refusing).await;
    assert!(refused["error"].is_null(), "{refused}");

    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    let jobs = echoed(&bed, 300).await;
    for job in &jobs {
        job.result(LONG).await.unwrap();
    }
    assert_eq!(bed.server.jsz().await.messages("naq_events"), 1);
    let mended = bed
        .ask("STREAM.UPDATE.naq_events", info["config"].clone())
        .await;
    assert!(mended["error"].is_null(), "{mended}");
    worker.stop(LONG).await;
    assert!(bed.jobs.events().flush(LONG).await);

    let events = bed.jobs.events();
    let mut replay = events
        .replay(SystemTime::UNIX_EPOCH, EventFilter::new())
        .await
        .unwrap();
    let all = replay.collect(usize::MAX).await.unwrap();
    let lost: u64 = all.iter().filter_map(|event| event.body.lost).sum();
    let gaps = all
        .iter()
        .filter(|event| event.event_type == EventType::Gap)
        .count();
    assert!(gaps >= 1 && lost > 500, "{gaps} {lost}");
    let stats = events.stats(2, &[]).await.unwrap();
    let row = &stats.rows[0];
    // What was told is there, or in a gap; the counters know all of it.
    let told: u64 = row.counts.values().sum();
    let gaps = row.count(EventType::Gap);
    let kept = all
        .iter()
        .filter(|event| event.event_type != EventType::Gap)
        .count();
    assert_eq!(told - gaps, kept as u64 + lost);
    assert_eq!(row.count(EventType::Completed), 301);
}

#[tokio::test]
async fn events_go_on_after_their_streams_were_deleted() {
    let bed = Bed::with(quick).await;
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    echoed(&bed, 2).await;
    assert!(bed.jobs.events().flush(LONG).await);
    for stream in ["naq_events", "naq_counters"] {
        bed.ask(&format!("STREAM.DELETE.{stream}"), json!({})).await;
    }
    let mut live = bed.jobs.events().live(EventFilter::new()).await.unwrap();
    let job = bed
        .jobs
        .enqueue(ECHO.job(&json!(1)).unwrap())
        .await
        .unwrap();
    job.result(LONG).await.unwrap();
    // Of the jobs before it something may still be told, too.
    let is_its_end = |event: &Event| {
        event.event_type == EventType::Completed && event.job_id() == Some(job.id().as_str())
    };
    while !is_its_end(&next(&mut live).await) {}
    worker.stop(LONG).await;
}

//! Enqueuing: one connection, one job per id, what is refused, and jobs that are not due yet.

use std::time::{Duration, Instant, SystemTime};

use async_nats::HeaderMap;
use naq_connection::ConnectionErrorKind;
use naq_jobs::{JobContext, JobError, JobsErrorKind, Kind, Landing, Unique};
use naq_testing::{Direction, FaultProxy, eventually};
use serde_json::json;

use crate::setup::{Bed, ECHO, LONG, Ledger, echo, job_id};

/// AC-02.
#[tokio::test]
async fn two_thousand_enqueues_make_one_connection() {
    const SAMPLE: u32 = 20;
    let bed = Bed::new().await;
    let before = bed.server.varz().await.total_connections;
    let jobs = bed.other(|_| {}).await;
    let begun = Instant::now();
    for n in 0..1000 {
        jobs.enqueue(ECHO.job(&json!(n)).unwrap()).await.unwrap();
    }
    let single = f64::from(1000) / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let many = jobs
        .enqueue_many((0..1000).map(|n| ECHO.job(&json!(n)).unwrap()))
        .await;
    let pipelined = f64::from(1000) / begun.elapsed().as_secs_f64();
    assert_eq!(many.iter().filter(|job| job.is_ok()).count(), 1000);
    assert_eq!(bed.server.varz().await.total_connections, before + 1);
    assert_eq!(bed.waiting().await, 2000);

    let begun = Instant::now();
    for n in 0..SAMPLE {
        let jobs = bed.other(|_| {}).await;
        jobs.enqueue(ECHO.job(&json!(n)).unwrap()).await.unwrap();
        jobs.shutdown().await;
    }
    let fresh = f64::from(SAMPLE) / begun.elapsed().as_secs_f64();
    println!(
        "enqueues per second: {single:.0} one by one, {pipelined:.0} by enqueue_many, \
         {fresh:.0} with a connection for each"
    );
    assert!(jobs.shutdown().await.flushed());
    let total = bed.server.varz().await.total_connections;
    assert_eq!(total, before + 1 + u64::from(SAMPLE));
}

#[tokio::test]
async fn an_id_that_is_enqueued_twice_is_one_job() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let job = || ECHO.job(&json!(1)).unwrap().id(job_id("invoice-7"));
    bed.jobs.enqueue(job()).await.unwrap();
    let again = bed.jobs.enqueue(job()).await.unwrap();
    let elsewhere = bed.other(|_| {}).await.enqueue_many([job(), job()]).await;
    assert!(elsewhere.iter().all(Result::is_ok));
    assert_eq!(bed.waiting().await, 1);
    let worker = counting_worker(&bed, &ledger).await;
    assert_eq!(again.result(LONG).await.unwrap(), json!(1));
    assert_eq!(worker.stop(LONG).await.completed, 1);
    assert_eq!(ledger.ids(), ["invoice-7"]);
}

async fn counting_worker(bed: &Bed, ledger: &Ledger) -> naq_jobs::RunningWorker {
    let ledger = ledger.clone();
    bed.jobs
        .worker()
        .handle(ECHO, move |context: JobContext, value| {
            ledger.note(&context);
            echo(context, value)
        })
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_payload_above_the_servers_limit_is_refused_by_name() {
    let bed = Bed::with(|settings| settings.payloads.max_size = 0).await;
    let before = bed.server.varz().await.total_connections;
    let large = json!("x".repeat(1_100_000));
    let error = bed.jobs.enqueue(ECHO.job(&large).unwrap()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::TooLarge);
    assert!(!error.is_transient());
    assert!(error.to_string().contains("max_payload"), "{error}");
    let mixed = bed
        .jobs
        .enqueue_many([&json!(1), &large, &json!(2)].map(|value| ECHO.job(value).unwrap()))
        .await;
    let accepted: Vec<bool> = mixed.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, false, true]);
    assert_eq!(bed.waiting().await, 2);
    assert_eq!(bed.server.varz().await.total_connections, before);
}

/// W-19.
#[tokio::test]
async fn impossible_queue_names_are_refused_with_advice() {
    let bed = Bed::new().await;
    let long = "x".repeat(65);
    for (name, advice) in [
        ("", "empty"),
        ("mail.high", "use `-` or `_` instead"),
        ("mail high", "' '"),
        ("mail*", "'*'"),
        (">", "'>'"),
        ("poststraße", "'ß'"),
        (&long, "at most 64"),
    ] {
        let job = ECHO.job(&json!(1)).unwrap().queue(name).unwrap_err();
        let worker = bed.jobs.worker().handle(ECHO, echo).queue(name).start();
        for error in [job, worker.await.unwrap_err()] {
            assert_eq!(error.kind(), JobsErrorKind::InvalidName, "{name:?}");
            assert!(error.to_string().contains(advice), "{name:?}: {error}");
        }
    }
    assert_eq!(bed.waiting().await, 0);
}

#[tokio::test]
async fn every_allowed_queue_name_works_from_end_to_end() {
    let bed = Bed::new().await;
    let long = "q".repeat(64);
    let names = ["a", "A-b_9", "-", "_", "0", &long];
    let mut worker = bed.jobs.worker().handle(ECHO, echo);
    for name in names {
        worker = worker.queue(name);
    }
    let worker = worker.start().await.unwrap();
    for name in names {
        let job = ECHO.job(&json!(name)).unwrap().queue(name).unwrap();
        let job = bed.jobs.enqueue(job).await.unwrap();
        assert_eq!(job.result(LONG).await.unwrap(), json!(name));
    }
    worker.stop(LONG).await;
}

/// AC-03, AC-13 in short.
#[tokio::test]
async fn delayed_jobs_start_in_the_order_of_their_times_and_never_early() {
    let bed = Bed::new().await;
    let starts = Kind::<String, (String, SystemTime)>::new("starts");
    let worker = bed
        .jobs
        .worker()
        .handle(starts, async |_: JobContext, name: String| {
            Ok::<_, JobError>((name, SystemTime::now()))
        })
        .start()
        .await
        .unwrap();
    let job = |name: &str| starts.job(&name.to_owned()).unwrap();
    let begun = SystemTime::now();
    let due = |millis| begun + Duration::from_millis(millis);
    let jobs = [
        job("at").at(due(2500)),
        job("delayed").delay(Duration::from_millis(1500)),
        job("past").at(begun - Duration::from_secs(3600)),
        job("now"),
    ];
    let mut seen = Vec::new();
    for (handle, not_before) in
        bed.jobs
            .enqueue_many(jobs)
            .await
            .into_iter()
            .zip([due(2500), due(1500), begun, begun])
    {
        let (name, at) = handle.unwrap().result(LONG).await.unwrap();
        let late = at.duration_since(not_before).unwrap();
        assert!(late < Duration::from_secs(10), "{name} is {late:?} late");
        seen.push((at, name));
    }
    seen.sort();
    let order: Vec<&str> = seen.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(order[2..], ["delayed", "at"]);
    assert!(seen[1].0 < due(1500), "a time in the past runs at once");
    assert_eq!(worker.stop(LONG).await.completed, 4);
    bed.emptied().await;
}

#[tokio::test]
async fn two_hundred_jobs_of_a_megabyte_all_complete() {
    const COUNT: usize = 200;
    const SIZE: usize = 1_000_000;
    let measure = Kind::<String, (usize, bool)>::new("measure");
    // Two hundred megabytes take a busy machine some time.
    let bed = Bed::with(|s| s.queues.ack_wait = LONG).await;
    let worker = bed
        .jobs
        .worker()
        .handle(measure, async |_: JobContext, text: String| {
            let first = text.bytes().next();
            let same = text.bytes().all(|b| Some(b) == first);
            Ok::<_, JobError>((text.len(), same))
        })
        .start()
        .await
        .unwrap();
    let letters = "abcdefghij".chars().cycle().take(COUNT);
    let jobs = letters.enumerate().map(|(n, letter)| {
        let text = letter.to_string().repeat(SIZE + n);
        measure.job(&text).unwrap()
    });
    let handles = bed.jobs.enqueue_many(jobs).await;
    for (n, handle) in handles.into_iter().enumerate() {
        let result = handle.unwrap().result(LONG).await.unwrap();
        assert_eq!(result, (SIZE + n, true));
    }
    assert_eq!(worker.stop(LONG).await.completed, 200);
    assert_eq!(bed.server.varz().await.slow_consumers, 0);
    bed.emptied().await;
}

#[tokio::test]
async fn a_program_that_knows_only_the_wire_can_enqueue() {
    let bed = Bed::new().await;
    let worker = bed.jobs.worker().handle(ECHO, echo).queue("mail").start();
    let worker = worker.await.unwrap();
    let body = r#"{"v":1,"kind":"echo","payload":1}"#;
    let id = bed.publish("mail", "from-python-1", body).await;
    let outcome = bed.jobs.results().wait(&id, LONG).await.unwrap();
    assert_eq!(outcome.into_result::<u32>().unwrap(), 1);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_wrong_subject_is_refused_by_the_server_instead_of_swallowed() {
    let bed = Bed::new().await;
    let conn = bed.conn().await;
    let body = r#"{"v":1,"kind":"echo","payload":1}"#;
    for subject in [
        "naq.queue",
        "naq.queue.mail",
        "naq.queue.a.b.c",
        "naq.jobs.mail.1",
    ] {
        let error = conn.publish_acked(subject, HeaderMap::new(), body).await;
        let error = error.unwrap_err();
        assert_eq!(
            *error.kind(),
            ConnectionErrorKind::NoResponders,
            "{subject}"
        );
    }
    assert_eq!(bed.waiting().await, 0);
}

#[tokio::test]
async fn a_batch_is_stored_in_its_order() {
    const COUNT: u64 = 1000;
    let bed = Bed::new().await;
    let jobs = (1..=COUNT).map(|n| {
        let id = job_id(&format!("job-{n}"));
        ECHO.job(&json!(n)).unwrap().id(id)
    });
    bed.jobs.enqueue_many(jobs).await;
    for sequence in 1..=COUNT {
        let at = json!({ "seq": sequence });
        let stored = bed.ask("STREAM.MSG.GET.naq_jobs", at).await;
        let expected = format!("naq.queue.naq_default_queue.job-{sequence}");
        assert_eq!(stored["message"]["subject"], json!(expected));
    }
}

/// The job is stored and the answer is lost, in each way of enqueuing: it is asked for again, and there is one of each.
#[tokio::test]
async fn what_is_stored_while_its_answer_is_lost_is_enqueued_once_and_no_error() {
    const WAYS: u64 = 6;
    let bed = Bed::new().await;
    let proxy = FaultProxy::to(&bed.server.url());
    let far = bed.other(|s| s.nats.servers = vec![proxy.url()]).await;
    let job = |n: u64| ECHO.job(&json!(n)).unwrap();
    let unique = |n| job(n).unique(Unique::key("k"));
    let window = |n| job(n).unique(Unique::key("w").within(LONG));
    let many = || (0..50).map(job);
    // Streams, consumers and connections are there.
    far.enqueue(job(0)).await.unwrap();
    for way in 0..WAYS {
        let before = bed.waiting().await;
        proxy.stall_one(Direction::ToClient);
        let enqueuing = async {
            match way {
                0 => vec![far.enqueue(job(way)).await],
                1 => vec![far.enqueue(job(way).delay(LONG)).await],
                2 => vec![far.enqueue(unique(way)).await],
                3 => vec![far.enqueue(window(way)).await],
                4 => far.enqueue_many(many()).await,
                _ => far
                    .enqueue_all(many())
                    .await
                    .unwrap()
                    .into_iter()
                    .map(Ok)
                    .collect(),
            }
        };
        let losing = async {
            eventually(LONG, async || match bed.waiting().await {
                stored if stored > before => Ok(()),
                stored => Err(stored),
            })
            .await;
            proxy.cut();
            proxy.resume();
        };
        let (handles, ()) = tokio::join!(Box::pin(enqueuing), losing);
        let count = handles.len() as u64;
        for handle in handles {
            assert_eq!(handle.unwrap().landing(), Landing::New, "{way}");
        }
        // The window is a message of its own.
        let stored = count + u64::from(way == 3);
        assert_eq!(bed.waiting().await, before + stored, "{way}");
    }
}

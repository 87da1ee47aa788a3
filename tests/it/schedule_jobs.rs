//! The jobs that schedules make: what they have, and that there is one of each while a schedule comes and goes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq_jobs::{JobsErrorKind, Priority};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};

use crate::schedules::{SECOND, echo_worker, ended, name};
use crate::setup::{Bed, ECHO, LONG, echo};

/// What a plain job takes its jobs take as well, and each has a deadline of its own.
#[tokio::test]
async fn the_jobs_of_a_schedule_have_headers_a_priority_a_limit_key_and_a_deadline() {
    let bed = Bed::new().await;
    let job = ECHO.job(&json!(1)).unwrap().priority(Priority::High);
    let job = job
        .limit_key("tenant-7")
        .unwrap()
        .header("X-From", "a schedule")
        .unwrap();
    let job = job.expires_in(60 * SECOND).deadline(120 * SECOND);
    let new = bed.jobs.schedule(job).every(SECOND).repeat(2);
    let made = new.create("rich").await.unwrap();
    assert_eq!(made.priority(), Priority::High);
    // Another worker makes the job, which waits since nobody takes its kind.
    let other = bed.jobs.worker().queue("other").handle(ECHO, echo);
    let other = other.start().await.unwrap();
    let jobs = eventually(LONG, async || {
        let found = bed.subjects("naq_jobs", "naq.high.*.*").await;
        if found.len() == 2 {
            Ok(found)
        } else {
            Err(found)
        }
    })
    .await;
    for subject in jobs {
        let ask = json!({ "last_by_subj": subject });
        let stored = bed.ask("STREAM.MSG.GET.naq_jobs", ask).await;
        let text = |field: &str| {
            let field = stored["message"][field].as_str().unwrap();
            let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, field);
            String::from_utf8(bytes.unwrap()).unwrap()
        };
        let body: Value = serde_json::from_str(&text("data")).unwrap();
        let at = |field: &str| body[field].as_u64().unwrap();
        assert_eq!(at("expires_at_ms") - at("enqueued_at_ms"), 60_000);
        assert_eq!(at("deadline_ms") - at("enqueued_at_ms"), 120_000);
        let headers = text("hdrs");
        for header in [
            "Naq-Priority: high",
            "Naq-Limit-Key: tenant-7",
            "X-From: a schedule",
        ] {
            assert!(headers.contains(header), "{headers}");
        }
    }
    let worker = echo_worker(&bed.jobs).await;
    eventually_eq(LONG, 2, async || ended(&bed.jobs).await.len()).await;
    other.stop(LONG).await;
    worker.stop(LONG).await;
}

/// AC-15 under fire: a schedule that is triggered, deleted and created again at the moment of its firings makes each job once.
#[tokio::test]
async fn a_schedule_that_comes_and_goes_at_its_firings_makes_each_job_once() {
    let bed = Bed::new().await;
    let worker = echo_worker(&bed.jobs).await;
    let end = std::time::Instant::now() + 5 * SECOND;
    let comes_and_goes = async {
        while std::time::Instant::now() < end {
            let new = bed.jobs.schedule(ECHO.job(&json!(1)).unwrap());
            drop(new.every(SECOND).create("guest").await.unwrap());
            // Right at a whole second, when it fires.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let rest = SECOND - Duration::from_nanos(now.subsec_nanos().into());
            tokio::time::sleep(rest + Duration::from_millis(u64::from(now.subsec_nanos() % 30)))
                .await;
            assert!(bed.jobs.schedules().delete(&name("guest")).await.unwrap());
        }
    };
    let other = bed.other(|_| {}).await;
    let triggers = async {
        let mut triggered = 0;
        while std::time::Instant::now() < end {
            match other.schedules().trigger(&name("guest")).await {
                Ok(_) => triggered += 1,
                Err(error) => assert_eq!(error.kind(), JobsErrorKind::NotFound, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        triggered
    };
    let ((), triggered) = tokio::join!(comes_and_goes, triggers);
    bed.emptied().await;
    let report = worker.stop(LONG).await;
    let ids = ended(&bed.jobs).await;
    assert_eq!(report.completed, ids.len() as u64, "a job was made twice");
    let by_hand = ids.iter().filter(|id| id.starts_with("guest-t")).count();
    assert_eq!(by_hand, triggered);
}

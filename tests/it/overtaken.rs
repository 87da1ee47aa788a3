//! A unique job is replaced while the server fires it.

use std::time::{Duration, SystemTime};

use async_nats::HeaderMap;
use naq_jobs::{Job, Landing, Unique};
use naq_testing::eventually;
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, LONG};

/// Other jobs that are due at the same instant and were there before, so that they come first.
const CROWD: usize = 3_000;

fn invoice(value: &str, due: SystemTime) -> Job<Value> {
    let job = ECHO.job(&json!(value)).unwrap().queue("mail").unwrap();
    job.unique(Unique::key("invoice 17").replace()).at(due)
}

/// The server has looked at its clock and stores one firing after the other. The one of the old job is still to come, and takes
/// along what is at the subject of its schedule by then.
#[tokio::test]
async fn a_job_that_replaces_one_while_the_server_fires_it_is_not_lost() {
    let bed = Bed::new().await;
    let due = SystemTime::now() + Duration::from_secs(4);
    let last = bed
        .jobs
        .enqueue(invoice("in the crowd", due))
        .await
        .unwrap();
    let conn = bed.conn().await;
    let found = "$JS.API.DIRECT.GET.naq_jobs";
    let found = conn.request(found, r#"{"seq":1}"#).await.unwrap();
    let at = found.headers.unwrap().get("Nats-Schedule").unwrap().clone();
    for n in 0..=CROWD {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Schedule", at.clone());
        headers.insert("Nats-Schedule-Target", format!("naq.queue.crowd.{n}"));
        let subject = format!("naq.schedule.crowd.{n}");
        match n {
            CROWD => drop(conn.publish_acked(subject, headers, "").await.unwrap()),
            _ => conn
                .publish_with_headers(subject, headers, "")
                .await
                .unwrap(),
        }
    }
    // It comes last: the server goes by age.
    let old = bed.jobs.enqueue(invoice("old", due)).await.unwrap();
    assert_eq!((old.id(), old.landing()), (last.id(), Landing::Replaced));
    eventually(LONG, async || {
        let first = "$JS.API.DIRECT.GET.naq_jobs.naq.queue.crowd.0";
        let first = conn.request(first.to_owned(), "").await.unwrap();
        first.status.map_or(Ok(()), Err)
    })
    .await;
    let soon = SystemTime::now() + Duration::from_secs(1);
    let new = bed.jobs.enqueue(invoice("new", soon)).await.unwrap();
    assert_eq!((new.id(), new.landing()), (old.id(), Landing::Replaced));
    let worker = bed
        .jobs
        .worker()
        .queue("mail")
        .handle(ECHO, async |_: naq_jobs::JobContext, value: Value| {
            Ok::<_, naq_jobs::JobError>(value)
        });
    let worker = worker.start().await.unwrap();
    assert_eq!(new.result(LONG).await.unwrap(), json!("new"));
    assert_eq!(worker.stop(LONG).await.completed, 1);
}

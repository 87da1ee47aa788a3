//! A unique job is replaced while the server fires it.

use std::time::{Duration, SystemTime};

use naq_jobs::{Job, Landing, Unique};
use serde_json::{Value, json};

use crate::crowd::{crowd, crowd_fires};
use crate::setup::{Bed, ECHO, LONG};

/// Other jobs that are due at the same instant and were there before, so that they come first.
const CROWD: usize = 1_000;

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
    crowd(&bed, at.as_str(), CROWD).await;
    // It comes last: the server goes by age.
    let old = bed.jobs.enqueue(invoice("old", due)).await.unwrap();
    assert_eq!((old.id(), old.landing()), (last.id(), Landing::Replaced));
    crowd_fires(&bed).await;
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

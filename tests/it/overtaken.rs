//! A unique job is replaced while the server fires it.

use std::time::{Duration, SystemTime};

use async_nats::{HeaderMap, Message};
use naq_jobs::{Job, JobHandle, Landing, Unique};
use naq_testing::eventually;
use serde_json::{Value, json};

use crate::crowd::{crowd, crowd_fires};
use crate::setup::{Bed, ECHO, LONG, echo};

/// Other jobs that are due at the same instant and were there before, so that they come first.
const CROWD: usize = 1_000;

fn invoice(value: &str, due: SystemTime) -> Job<Value> {
    let job = ECHO.job(&json!(value)).unwrap().queue("mail").unwrap();
    job.unique(Unique::key("invoice 17").replace()).at(due)
}

/// The last message on a subject, if there is one.
async fn last(bed: &Bed, subject: &str) -> Option<Message> {
    let subject = format!("$JS.API.DIRECT.GET.naq_jobs.{subject}");
    let found = bed.conn().await.request(subject, "").await.unwrap();
    found.status.is_none().then_some(found)
}

fn header(message: &Message, name: &str) -> Option<String> {
    Some(message.headers.as_ref()?.get(name)?.to_string())
}

/// A worker has one job to run, and its result is that of the payload `value`.
async fn runs_only(bed: &Bed, job: &JobHandle<Value>, value: &str) {
    let worker = bed.jobs.worker().queue("mail").handle(ECHO, echo);
    let worker = worker.start().await.unwrap();
    assert_eq!(job.result(LONG).await.unwrap(), json!(value));
    assert_eq!(worker.stop(LONG).await.completed, 1);
}

/// The server looks at its clock each 250 ms at most: the old job is due and not yet fired. What the server then stores is stored
/// here, after the replacement.
#[tokio::test]
async fn a_replacement_that_an_older_firing_took_along_is_made_again() {
    let bed = Bed::new().await;
    let due = SystemTime::now() + Duration::from_millis(20);
    let old = bed.jobs.enqueue(invoice("old", due)).await.unwrap();
    let later = bed.subjects("naq_jobs", "naq.unique.>").await.remove(0);
    let stored = last(&bed, &later).await.unwrap();
    let replaced = async {
        // Time itself is what is waited for.
        while SystemTime::now() <= due {
            tokio::task::yield_now().await;
        }
        let later = SystemTime::now() + Duration::from_secs(1);
        bed.jobs.enqueue(invoice("new", later)).await.unwrap()
    };
    let fired_late = async {
        let sequence = header(&stored, "Nats-Sequence");
        let there = eventually(LONG, async || match last(&bed, &later).await {
            Some(same) if header(&same, "Nats-Sequence") == sequence => Err("not yet replaced"),
            seen => Ok(seen),
        })
        .await;
        if there.is_none() {
            // This machine was so slow that the old one has fired before.
            return;
        }
        let mut headers = HeaderMap::new();
        headers.insert("Naq-Unique", header(&stored, "Naq-Unique").unwrap());
        headers.insert("Nats-Scheduler", later.as_str());
        headers.insert("Nats-Schedule-Next", "purge");
        let target = header(&stored, "Nats-Schedule-Target").unwrap();
        let conn = bed.conn().await;
        let sent = conn.publish_acked(target, headers, stored.payload.clone());
        sent.await.unwrap();
    };
    let (new, ()) = tokio::join!(replaced, fired_late);
    assert_eq!((new.id(), new.landing()), (old.id(), Landing::Replaced));
    runs_only(&bed, &new, "new").await;
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
    runs_only(&bed, &new, "new").await;
}

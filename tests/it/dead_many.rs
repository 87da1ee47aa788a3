//! Many dead letters: found, grouped, changed, retried and removed in bulk.

use std::time::Duration;

use naq_jobs::{DeadFilter, JobContext, JobError, JobId, JobsErrorKind, QueueName};
use naq_testing::eventually_eq;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::dead::{broken_worker, healthy_worker, letter};
use crate::setup::{Bed, ECHO, LONG, job_id};

/// Dead letters of three errors in two queues: `count` of the first, half as many of the second, one of the third.
async fn bury(bed: &Bed, count: usize) -> Vec<JobId> {
    let failing = async |_: JobContext, value: Value| {
        let n = value["n"].as_u64().unwrap();
        Err::<Value, _>(match value["how"].as_str().unwrap() {
            "user" => JobError::message(format!("no user \"u-{n}\" (row {n})")),
            "timeout" => JobError::message(format!("timed out after {n} ms")),
            _ => JobError::fatal(JobError::message("out of paper")),
        })
    };
    let worker = bed
        .jobs
        .worker()
        .handle(ECHO, failing)
        .queue("mail")
        .queue("reports");
    let worker = worker.start().await.unwrap();
    let mut ids = Vec::new();
    for n in 0..count + count / 2 + 1 {
        let (how, queue) = match n {
            n if n < count => ("user", "mail"),
            n if n < count + count / 2 => ("timeout", "reports"),
            _ => ("paper", "reports"),
        };
        let job = ECHO
            .job(&json!({ "how": how, "n": n }))
            .unwrap()
            .queue(queue)
            .unwrap();
        ids.push(bed.jobs.enqueue(job).await.unwrap().id().clone());
    }
    let wanted = ids.len() as u64;
    eventually_eq(LONG, wanted, async || {
        bed.server.jsz().await.messages("naq_failed_jobs")
    })
    .await;
    worker.stop(LONG).await;
    ids
}

fn filter(adjust: impl FnOnce(&mut DeadFilter)) -> DeadFilter {
    let mut filter = DeadFilter::default();
    adjust(&mut filter);
    filter
}

#[tokio::test]
async fn dead_letters_are_found_by_what_they_are_and_grouped_by_what_they_died_of() {
    let bed = Bed::new().await;
    bury(&bed, 20).await;
    let letters = bed.jobs.dead_letters();
    for (found, wanted) in [
        (filter(|f| f.queue = QueueName::new("reports").ok()), 11),
        (filter(|f| f.reason = Some("fatal".into())), 1),
        (filter(|f| f.kind = Some("echo".into())), 31),
        (filter(|f| f.kind = Some("other".into())), 0),
        (filter(|f| f.error = Some("TIMED out".into())), 10),
        (filter(|f| f.newer_than = Some(LONG * 10)), 31),
        (filter(|f| f.older_than = Some(LONG * 10)), 0),
        (filter(|f| f.newer_than = Some(Duration::ZERO)), 0),
    ] {
        assert_eq!(letters.count(&found).await.unwrap(), wanted, "{found:?}");
    }
    let groups = letters.groups(&DeadFilter::default()).await.unwrap();
    assert_eq!((groups.letters, groups.ungrouped), (31, 0));
    let seen: Vec<(&str, u64)> = groups
        .groups
        .iter()
        .map(|g| (g.error.as_str(), g.count))
        .collect();
    assert_eq!(
        seen,
        [
            ("no user <text> (row <n>)", 20),
            ("timed out after <n> ms", 10),
            ("out of paper", 1),
        ]
    );
    let first = &groups.groups[0];
    assert!(first.first_ms <= first.last_ms);
    assert!(first.sample.1.starts_with("no user \"u-"));
    let of_group = filter(|f| f.fingerprint = Some(first.fingerprint[..8].to_owned()));
    // Page by page, each letter once.
    let (mut ids, mut from) = (std::collections::BTreeSet::new(), 0);
    loop {
        let page = letters.search(&of_group, from, 6).await.unwrap();
        for letter in page.letters {
            assert!(ids.insert(letter.id));
        }
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(ids.len(), 20);
}

#[tokio::test]
async fn all_dead_letters_of_a_group_are_retried_once_each_also_when_they_fail_again() {
    let bed = Bed::new().await;
    bury(&bed, 40).await;
    let letters = bed.jobs.dead_letters();
    let users = filter(|f| f.error = Some("no user".into()));
    let some = letters.requeue_all(&users, 15, |_| {}).await.unwrap();
    assert_eq!((some.matched, some.done, some.failed), (15, 15, 0));
    // A worker that fails them again while they are retried: each is taken once.
    let worker = broken_worker(&bed, &["mail"]).await;
    let mut told = 0;
    let rest = letters
        .requeue_all(&users, u64::MAX, |bulk| told = bulk.done)
        .await
        .unwrap();
    assert_eq!((rest.matched, rest.done, told), (25, 25, 25));
    eventually_eq(LONG, 61, async || {
        bed.server.jsz().await.messages("naq_failed_jobs")
    })
    .await;
    worker.stop(LONG).await;
    let worker = healthy_worker(&bed, "mail").await;
    let mail = filter(|f| f.queue = QueueName::new("mail").ok());
    let done = letters.requeue_all(&mail, u64::MAX, |_| {}).await.unwrap();
    assert_eq!((done.done, done.failed), (40, 0));
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(worker.stop(LONG).await.completed, 40);
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 21);
}

#[tokio::test]
async fn dead_letters_are_removed_by_filter_or_by_age_in_one_request() {
    let bed = Bed::new().await;
    bury(&bed, 10).await;
    let letters = bed.jobs.dead_letters();
    let fatal = filter(|f| f.reason = Some("fatal".into()));
    assert_eq!(
        letters
            .delete_all(&fatal, u64::MAX, |_| {})
            .await
            .unwrap()
            .done,
        1
    );
    let old = filter(|f| f.older_than = Some(LONG * 10));
    assert_eq!(
        letters
            .delete_all(&old, u64::MAX, |_| {})
            .await
            .unwrap()
            .done,
        0
    );
    let mail = filter(|f| {
        f.queue = QueueName::new("mail").ok();
        f.older_than = Some(Duration::ZERO);
    });
    assert_eq!(
        letters
            .delete_all(&mail, u64::MAX, |_| {})
            .await
            .unwrap()
            .done,
        10
    );
    let all = letters
        .delete_all(&DeadFilter::default(), u64::MAX, |_| {})
        .await;
    assert_eq!(all.unwrap().done, 5);
}

#[tokio::test]
async fn a_job_with_a_bad_payload_is_corrected_and_run() {
    let bed = Bed::new().await;
    let body = r#"{"v":1,"kind":"sum","payload":["1"],"later":{"x":1.50}}"#;
    let id = bed.publish("mail", "sum-1", body).await;
    let add = async |_: JobContext, numbers: Vec<u32>| Ok::<u32, JobError>(numbers.iter().sum());
    let sum = naq_jobs::Kind::<Vec<u32>, u32>::new("sum");
    let worker = bed
        .jobs
        .worker()
        .handle(sum, add)
        .queue("mail")
        .start()
        .await
        .unwrap();
    let before = letter(&bed, &id).await;
    let letters = bed.jobs.dead_letters();
    let payload = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    letters.edit(&id, &payload("[1, 2]")).await.unwrap();
    let after = letter(&bed, &id).await;
    assert_eq!(
        (&after.reason, &after.error, after.dead_at_ms),
        (&before.reason, &before.error, before.dead_at_ms)
    );
    assert!(String::from_utf8_lossy(&after.body).contains(r#""later":{"x":1.50}"#));
    // Who has read the old one does not overwrite the new one.
    let late = letters
        .edit_letter(&before, &payload("[9]"))
        .await
        .unwrap_err();
    assert_eq!(late.kind(), JobsErrorKind::Conflict);
    letters.requeue(&id).await.unwrap();
    eventually_eq(LONG, Some(3), async || {
        let outcome = bed.jobs.results().find(&id).await.unwrap()?;
        outcome.into_result::<u32>().ok()
    })
    .await;
    let missing = letters
        .edit(&job_id("never-was"), &payload("1"))
        .await
        .unwrap_err();
    assert_eq!(missing.kind(), JobsErrorKind::NotFound);
    let garbage = bed.publish("mail", "garbage", "no envelope").await;
    letter(&bed, &garbage).await;
    let refused = letters.edit(&garbage, &payload("1")).await.unwrap_err();
    assert_eq!(refused.kind(), JobsErrorKind::InvalidPayload);
    worker.stop(LONG).await;
}

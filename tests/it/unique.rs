//! Unique jobs: one of a key, by what the server holds.

use std::time::Duration;

use naq_config::Settings;
use naq_jobs::{
    Job, JobContext, JobError, JobHandle, Jobs, JobsErrorKind, Landing, RetryPolicy, RunningWorker,
    Unique,
};
use naq_testing::{eventually, eventually_eq};
use serde_json::{Value, json};

use crate::dead::{broken_worker, healthy_worker, letter};
use crate::setup::{Bed, ECHO, Gate, LONG, job_id};

/// An invoice job of the queue `mail` with the key `key`.
fn invoice(value: Value, unique: Unique) -> Job<Value> {
    let job = ECHO.job(&value).unwrap().queue("mail").unwrap();
    job.unique(unique)
}

fn key() -> Unique {
    Unique::key("invoice 17")
}

async fn put(bed: &Bed, value: Value, unique: Unique) -> JobHandle<Value> {
    bed.jobs.enqueue(invoice(value, unique)).await.unwrap()
}

/// A worker of the queue `mail` whose jobs stand before the gate.
async fn gated_worker(bed: &Bed, gate: &Gate) -> RunningWorker {
    let gate = gate.clone();
    let worker = bed
        .jobs
        .worker()
        .handle(ECHO, move |_: JobContext, value: Value| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok::<_, JobError>(value)
            }
        });
    worker.queue("mail").start().await.unwrap()
}

/// The places under which the server holds something of unique jobs.
async fn places(bed: &Bed) -> Vec<String> {
    let subjects = bed.subjects("naq_jobs", "naq.unique.>").await;
    let mut places: Vec<_> = subjects
        .iter()
        .map(|subject| subject.split('.').nth(3).unwrap().to_owned())
        .collect();
    places.sort();
    places
}

/// However many ask, one job.
#[tokio::test]
async fn two_hundred_at_once_make_one_job_and_all_are_told_its_id() {
    let bed = Bed::new().await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(bed.other(|_| {}).await);
    }
    let all = (0..200).map(|n| {
        let jobs = clients[n % clients.len()].clone();
        async move { jobs.enqueue(invoice(json!(n), key())).await.unwrap() }
    });
    let handles = futures::future::join_all(all).await;
    let new = handles.iter().filter(|handle| !handle.is_existing());
    assert_eq!(new.count(), 1);
    let id = handles[0].id();
    assert!(handles.iter().all(|handle| handle.id() == id));
    assert_eq!(bed.waiting().await, 1);
    assert_eq!(bed.jobs.stock().await.unwrap().waiting, 1);
    let worker = healthy_worker(&bed, "mail").await;
    let results = futures::future::join_all(handles.iter().map(|handle| handle.result(LONG)));
    let results = results.await;
    let first = results[0].as_ref().unwrap();
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().unwrap() == first)
    );
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(worker.stop(LONG).await.completed, 1);
    let again = put(&bed, json!(1), key()).await;
    assert_eq!(again.landing(), Landing::New);
    assert_ne!(again.id(), id);
}

#[tokio::test]
async fn a_key_is_taken_while_its_job_waits_is_due_later_runs_or_waits_for_a_retry() {
    let bed = Bed::new().await;
    let later = bed
        .jobs
        .enqueue(invoice(json!(0), key()).delay(Duration::from_secs(2)))
        .await
        .unwrap();
    assert_eq!(places(&bed).await, ["later"]);
    assert_eq!(bed.jobs.stock().await.unwrap().scheduled, 1);
    let ask = async |at: &str| {
        let other = put(&bed, json!("other"), key()).await;
        assert!(other.is_existing(), "{at}");
        assert_eq!(other.id(), later.id(), "{at}");
    };
    ask("due later").await;
    eventually_eq(LONG, vec!["normal".to_owned()], async || places(&bed).await).await;
    ask("waiting").await;

    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate).await;
    gate.started(1).await;
    ask("running").await;
    gate.open(1);
    assert_eq!(later.result(LONG).await.unwrap(), json!(0));
    worker.stop(LONG).await;

    let retry = RetryPolicy::fixed(1, Duration::from_secs(2));
    let failing = invoice(json!(1), key()).retry(retry);
    let failing = bed.jobs.enqueue(failing).await.unwrap();
    assert!(!failing.is_existing());
    let worker = broken_worker(&bed, &["mail"]).await;
    eventually_eq(LONG, vec!["later".to_owned()], async || places(&bed).await).await;
    let other = put(&bed, json!("other"), key()).await;
    assert_eq!((other.is_existing(), other.id()), (true, failing.id()));
    // Dead letters hold no key.
    let dead = letter(&bed, failing.id()).await;
    assert_eq!(dead.attempt, 2);
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert!(!put(&bed, json!("next"), key()).await.is_existing());
    worker.stop(LONG).await;
}

#[tokio::test]
async fn keys_of_other_texts_and_other_queues_are_other_keys() {
    let bed = Bed::new().await;
    let texts = ["invoice 17", "invoice 18", "*", "a.b.>", "ключ 🦀"];
    for text in texts {
        for queue in ["mail", "reports"] {
            let job = ECHO.job(&json!(text)).unwrap().queue(queue).unwrap();
            let handle = bed.jobs.enqueue(job.unique(Unique::key(text))).await;
            assert!(!handle.unwrap().is_existing(), "{text} {queue}");
        }
    }
    assert_eq!(bed.waiting().await, 10);
    assert!(put(&bed, json!(1), Unique::key("*")).await.is_existing());
    for bad in ["", "a\nb", &"x".repeat(257)] {
        let error = bed.jobs.enqueue(invoice(json!(1), Unique::key(bad))).await;
        assert_eq!(error.unwrap_err().kind(), JobsErrorKind::InvalidName);
    }
    let many = (0..6).map(|n| invoice(json!(n), Unique::key(format!("many {}", n % 2))));
    let many = bed.jobs.enqueue_many(many).await;
    let new = many
        .iter()
        .filter(|handle| !handle.as_ref().unwrap().is_existing());
    assert_eq!(new.count(), 2);
}

/// Jobs of another process whose connection does not give up quickly.
async fn patient(bed: &Bed) -> Jobs {
    bed.other(|settings: &mut Settings| settings.nats.request_timeout = Duration::from_secs(5))
        .await
}

#[tokio::test]
async fn a_server_that_is_killed_in_between_makes_no_second_job_of_a_key() {
    let bed = Bed::new().await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(patient(&bed).await);
    }
    let asking = clients.iter().map(|jobs| async {
        let mut answers = Vec::new();
        for n in 0..100 {
            let unique = Unique::key(format!("key {}", n / 10));
            match jobs.enqueue(invoice(json!(n), unique)).await {
                Ok(handle) => answers.push((n / 10, handle.id().clone(), handle.is_existing())),
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
        answers
    });
    let restarting = async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            bed.server.kill().await.unwrap();
            bed.server.restart().await.unwrap();
        }
    };
    let (answers, ()) = futures::join!(futures::future::join_all(asking), restarting);
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(bed.waiting().await, 10);
    for key in 0..10 {
        let mut ids: Vec<_> = answers.iter().filter(|a| a.0 == key).collect();
        assert!(ids.iter().filter(|a| !a.2).count() <= 1, "{ids:?}");
        ids.dedup_by_key(|a| &a.1);
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
    assert!(answers.len() >= 390, "{}", answers.len());
}

#[tokio::test]
async fn a_window_holds_the_key_beyond_the_end_of_its_job() {
    let bed = Bed::new().await;
    let within = || key().within(Duration::from_secs(3));
    let first = put(&bed, json!(1), within()).await;
    assert_eq!(places(&bed).await, ["normal", "window"]);
    let worker = healthy_worker(&bed, "mail").await;
    first.result(LONG).await.unwrap();
    eventually_eq(LONG, vec!["window".to_owned()], async || places(&bed).await).await;
    let second = put(&bed, json!(2), within()).await;
    assert_eq!((second.is_existing(), second.id()), (true, first.id()));
    let third = eventually(LONG, async || {
        let third = put(&bed, json!(3), within()).await;
        if third.is_existing() {
            Err("still the window")
        } else {
            Ok(third)
        }
    })
    .await;
    assert_eq!(third.result(LONG).await.unwrap(), json!(3));
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_job_that_waits_is_replaced_under_its_id_and_one_that_runs_is_not() {
    let bed = Bed::new().await;
    let replace = |value| put(&bed, value, key().replace());
    let first = replace(json!(1)).await;
    assert_eq!(first.landing(), Landing::New);
    let all = futures::future::join_all((2..22).map(|n| replace(json!(n)))).await;
    assert!(
        all.iter()
            .all(|h| h.landing() == Landing::Replaced && h.id() == first.id())
    );
    let last = replace(json!("last")).await;
    assert_eq!(last.landing(), Landing::Replaced);
    assert_eq!(bed.waiting().await, 1);

    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate).await;
    gate.started(1).await;
    let late = replace(json!("late")).await;
    assert_eq!((late.landing(), late.id()), (Landing::Existing, first.id()));
    gate.open(2);
    assert_eq!(first.result(LONG).await.unwrap(), json!("last"));
    eventually_eq(LONG, 0, async || bed.waiting().await).await;

    // One that is due later gets the new time, too.
    let far = invoice(json!(1), key().replace()).delay(Duration::from_secs(3600));
    let far = bed.jobs.enqueue(far).await.unwrap();
    let now = replace(json!("now")).await;
    assert_eq!((now.landing(), now.id()), (Landing::Replaced, far.id()));
    assert_eq!(far.result(LONG).await.unwrap(), json!("now"));
    assert_eq!(worker.stop(LONG).await.completed, 2);
}

#[tokio::test]
async fn a_debounced_job_runs_once_with_the_last_payload_when_it_has_been_quiet() {
    let bed = Bed::new().await;
    // Each of the five in time, also on a busy machine.
    let quiet = Duration::from_secs(3);
    let debounce = |value| put(&bed, value, key().debounce(quiet));
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate).await;
    let first = debounce(json!(0)).await;
    assert_eq!(first.landing(), Landing::New);
    let mut last = std::time::Instant::now();
    for n in 1..=5 {
        // Time itself: the job is put off again and again.
        tokio::time::sleep(Duration::from_millis(300)).await;
        last = std::time::Instant::now();
        let moved = debounce(json!(n)).await;
        assert_eq!(
            (moved.landing(), moved.id()),
            (Landing::Replaced, first.id())
        );
    }
    gate.started(1).await;
    let waited = last.elapsed();
    assert!(waited >= quiet.mul_f64(0.9), "{waited:?}");
    // It runs: what comes now is for another run.
    let next = debounce(json!("next")).await;
    assert_eq!(next.landing(), Landing::New);
    assert_ne!(next.id(), first.id());
    gate.open(2);
    assert_eq!(first.result(LONG).await.unwrap(), json!(5));
    assert_eq!(next.result(LONG).await.unwrap(), json!("next"));
    assert_eq!(worker.stop(LONG).await.completed, 2);
}

#[tokio::test]
async fn a_throttled_job_is_one_in_each_window_whatever_still_waits() {
    // All fifty have to be answered inside the window, also on a busy machine.
    let bed = Bed::with(|settings| settings.nats.request_timeout = Duration::from_secs(10)).await;
    let throttle = |value| put(&bed, value, key().throttle(Duration::from_secs(6)));
    let handles = futures::future::join_all((0..50).map(|n| throttle(json!(n)))).await;
    assert_eq!(handles.iter().filter(|h| !h.is_existing()).count(), 1);
    assert!(handles.iter().all(|h| h.id() == handles[0].id()));
    // Nothing has run; the window alone counts.
    let second = eventually(LONG, async || {
        let next = throttle(json!("next")).await;
        if next.is_existing() {
            Err("still the window")
        } else {
            Ok(next)
        }
    })
    .await;
    assert_ne!(second.id(), handles[0].id());
    assert_eq!(places(&bed).await, ["normal", "normal", "window"]);
}

#[tokio::test]
async fn a_dead_unique_job_takes_its_key_again_or_is_told_who_has_it() {
    let bed = Bed::new().await;
    let dead = put(&bed, json!(1), key()).await;
    let worker = broken_worker(&bed, &["mail"]).await;
    letter(&bed, dead.id()).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    worker.stop(LONG).await;
    let holder = put(&bed, json!(2), key()).await;
    assert!(!holder.is_existing());
    let letters = bed.jobs.dead_letters();
    let error = letters.requeue(dead.id()).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::AlreadyExists);
    let text = error.to_string();
    assert!(
        text.contains("\"invoice 17\"") && text.contains(holder.id().as_str()),
        "{text}"
    );
    assert!(letters.find(dead.id()).await.unwrap().is_some());

    let worker = healthy_worker(&bed, "mail").await;
    holder.result(LONG).await.unwrap();
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    worker.stop(LONG).await;
    letters.requeue(dead.id()).await.unwrap();
    let third = put(&bed, json!(3), key()).await;
    assert_eq!((third.is_existing(), third.id()), (true, dead.id()));
    let worker = healthy_worker(&bed, "mail").await;
    eventually(LONG, async || {
        let outcome = bed.jobs.results().find(dead.id()).await.unwrap().unwrap();
        if outcome.is_success() {
            Ok(())
        } else {
            Err("still failed")
        }
    })
    .await;
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_consumer_of_an_older_version_is_updated_and_brings_unique_jobs_too() {
    let bed = Bed::new().await;
    let old = json!({ "stream_name": "naq_jobs", "config": {
        "durable_name": "naq-worker-mail", "filter_subject": "naq.queue.mail.*", "ack_policy": "explicit",
        "deliver_policy": "all", "ack_wait": 3_000_000_000_u64, "max_deliver": -1, "max_ack_pending": 1000, "max_waiting": 10_000,
    }});
    let verb = "CONSUMER.CREATE.naq_jobs.naq-worker-mail.naq.queue.mail.*";
    let made = bed.ask(verb, old).await;
    assert!(made.get("error").is_none(), "{made}");
    let plain = ECHO.job(&json!(1)).unwrap().queue("mail").unwrap();
    let plain = bed.jobs.enqueue(plain.id(job_id("plain"))).await.unwrap();
    let unique = put(&bed, json!(2), key()).await;
    let worker = healthy_worker(&bed, "mail").await;
    assert_eq!(plain.result(LONG).await.unwrap(), json!(1));
    assert_eq!(unique.result(LONG).await.unwrap(), json!(2));
    let consumer = bed.consumer("mail").await;
    let filters = &consumer["config"]["filter_subjects"];
    assert_eq!(
        *filters,
        json!(["naq.queue.mail.*", "naq.unique.mail.normal.*.*"])
    );
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_job_of_high_priority_that_runs_is_not_replaced_either() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = gated_worker(&bed, &gate).await;
    let urgent = |value| invoice(value, key().replace()).priority(naq_jobs::Priority::High);
    let first = bed.jobs.enqueue(urgent(json!(1))).await.unwrap();
    gate.started(1).await;
    let second = bed.jobs.enqueue(urgent(json!(2))).await.unwrap();
    assert_eq!(
        (second.landing(), second.id()),
        (Landing::Existing, first.id())
    );
    gate.open(1);
    assert_eq!(first.result(LONG).await.unwrap(), json!(1));
    worker.stop(LONG).await;
}

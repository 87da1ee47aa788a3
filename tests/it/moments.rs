//! Jobs that are worth nothing after a moment, and the headers that travel with a job.

use std::time::Duration;

use naq_jobs::{
    FailureReason, JobContext, JobError, JobsErrorKind, Kind, RetryPolicy, RunningWorker, Status,
};
use naq_testing::eventually_eq;
use serde_json::{Value, json};

use crate::dead::{broken_worker, healthy_worker, letter};
use crate::setup::{Bed, ECHO, LONG, Ledger, echo};

const SECOND: Duration = Duration::from_secs(1);

async fn counting_worker(bed: &Bed, ledger: &Ledger) -> RunningWorker {
    let ledger = ledger.clone();
    let handler = move |context: JobContext, value| {
        ledger.note(&context);
        echo(context, value)
    };
    bed.jobs
        .worker()
        .handle(ECHO, handler)
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_job_that_has_not_started_before_its_expiry_is_cancelled_and_leaves_no_dead_letter() {
    let bed = Bed::new().await;
    let ledger = Ledger::default();
    let soon = Duration::from_millis(300);
    let expiring = ECHO.job(&json!(1)).unwrap().expires_in(soon);
    let expiring = bed.jobs.enqueue(expiring).await.unwrap();
    let patient = ECHO.job(&json!(2)).unwrap().expires_in(LONG);
    let patient = bed.jobs.enqueue(patient).await.unwrap();
    // Due after its expiry: it can never start.
    let never = ECHO.job(&json!(3)).unwrap().expires_in(soon);
    let never = bed.jobs.enqueue(never.delay(SECOND)).await.unwrap();
    // Time itself: until it has expired.
    tokio::time::sleep(soon).await;
    let worker = counting_worker(&bed, &ledger).await;
    for job in [&expiring, &never] {
        let outcome = job.outcome(LONG).await.unwrap();
        assert_eq!(outcome.status, Status::Cancelled);
        assert_eq!(outcome.error.unwrap().reason, FailureReason::Expired);
        let error = job.result(LONG).await.unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::JobCancelled);
    }
    assert_eq!(patient.result(LONG).await.unwrap(), json!(2));
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(ledger.ids(), [patient.id().as_str()]);
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
    let report = worker.stop(LONG).await;
    assert_eq!(
        (report.completed, report.cancelled, report.failed),
        (1, 2, 0)
    );
}

#[tokio::test]
async fn a_job_that_started_in_time_is_retried_beyond_its_expiry() {
    let bed = Bed::new().await;
    let flaky = Kind::<Value, u32>::new("flaky");
    let handler = async |context: JobContext, _: Value| {
        if context.attempt() < 3 {
            Err(JobError::message("not yet"))
        } else {
            Ok(context.attempt())
        }
    };
    let worker = bed.jobs.worker().handle(flaky, handler);
    let worker = worker.start().await.unwrap();
    let policy = RetryPolicy::table([2 * SECOND, 2 * SECOND]);
    let job = flaky.job(&json!(1)).unwrap().retry(policy);
    // Time for the start, on a busy machine too; the attempts together take longer.
    let job = job.expires_in(3 * SECOND);
    let job = bed.jobs.enqueue(job).await.unwrap();
    assert_eq!(job.result(LONG).await.unwrap(), 3);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_running_attempt_ends_at_the_deadline_and_is_not_tried_again() {
    let bed = Bed::new().await;
    let slow = Kind::<Value, Value>::new("slow").retries(5);
    let handler = async |_: JobContext, value: Value| {
        tokio::time::sleep(LONG).await;
        Ok::<_, JobError>(value)
    };
    let worker = bed.jobs.worker().handle(slow, handler);
    let worker = worker.start().await.unwrap();
    let job = slow.job(&json!(1)).unwrap().deadline(3 * SECOND);
    let job = bed.jobs.enqueue(job).await.unwrap();
    let outcome = job.outcome(LONG).await.unwrap();
    assert_eq!((outcome.status, outcome.attempt), (Status::Failed, 1));
    assert!(outcome.duration() < 10 * SECOND, "{:?}", outcome.duration());
    assert_eq!(outcome.error.unwrap().reason, FailureReason::Deadline);
    let dead = letter(&bed, job.id()).await;
    assert_eq!(dead.reason, "deadline");
    assert_eq!(worker.stop(LONG).await.retried, 0);
}

/// A handler that never ends holds its slot no longer than the settings allow; a job may say otherwise.
#[tokio::test]
async fn a_job_that_names_no_time_limit_has_that_of_the_settings() {
    let bed = Bed::with(|settings| {
        settings.workers.max_job_duration = Duration::from_millis(300);
        settings.workers.shutdown_timeout = Duration::from_millis(300);
    })
    .await;
    let slow = Kind::<u64, u64>::new("slow");
    let handler = async |_: JobContext, millis: u64| {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok::<_, JobError>(millis)
    };
    let worker = bed.jobs.worker().concurrency(1).handle(slow, handler);
    let worker = worker.start().await.unwrap();
    let endless = bed
        .jobs
        .enqueue(slow.job(&3_600_000).unwrap())
        .await
        .unwrap();
    let longer = slow.job(&600).unwrap().timeout(LONG);
    let longer = bed.jobs.enqueue(longer).await.unwrap();
    let failure = endless.outcome(LONG).await.unwrap().error.unwrap();
    assert_eq!(failure.reason, FailureReason::Timeout);
    assert!(failure.message.contains("300ms"), "{failure}");
    assert_eq!(longer.result(LONG).await.unwrap(), 600);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn no_retry_is_made_that_would_start_after_the_deadline_and_a_requeued_job_has_none() {
    let bed = Bed::new().await;
    let worker = broken_worker(&bed, &["mail"]).await;
    let policy = RetryPolicy::table([Duration::from_millis(50), 60 * SECOND]);
    let job = ECHO.job(&json!(1)).unwrap().retry(policy).queue("mail");
    let job = job.unwrap().deadline(30 * SECOND);
    let job = bed.jobs.enqueue(job).await.unwrap();
    let outcome = job.outcome(LONG).await.unwrap();
    assert_eq!((outcome.status, outcome.attempt), (Status::Failed, 2));
    let failure = outcome.error.unwrap();
    assert_eq!(failure.reason, FailureReason::Deadline);
    assert_eq!(failure.causes, ["broken in attempt 2"]);
    letter(&bed, job.id()).await;
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    worker.stop(LONG).await;

    // Waits longer than its deadline, and then is not run.
    let late = ECHO.job(&json!(2)).unwrap().queue("mail").unwrap();
    let late = late.deadline(Duration::from_millis(200));
    let late = bed.jobs.enqueue(late).await.unwrap();
    // Time itself: until its deadline has passed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let worker = healthy_worker(&bed, "mail").await;
    let failure = late.outcome(LONG).await.unwrap().error.unwrap();
    assert_eq!(failure.reason, FailureReason::Deadline);
    letter(&bed, late.id()).await;
    // Its outcome may be gone by then.
    assert!(bed.jobs.results().delete(late.id()).await.unwrap());
    bed.jobs.dead_letters().requeue(late.id()).await.unwrap();
    assert_eq!(late.result(LONG).await.unwrap(), json!(2));
    worker.stop(LONG).await;
}

#[tokio::test]
async fn headers_and_trace_reach_the_handler_the_retry_and_the_dead_letter() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let bed = Bed::new().await;
    let show = Kind::<Value, Vec<String>>::new("show").queue("mail");
    let handler = async |context: JobContext, _: Value| {
        let read = |name| context.headers().get(name).map(|v| v.as_str().to_owned());
        let seen = [read("traceparent"), read("Tenant")];
        if context.attempt() == 1 {
            return Err(JobError::message("again"));
        }
        Ok(seen.into_iter().flatten().collect::<Vec<_>>())
    };
    let worker = bed.jobs.worker().handle(show, handler).queue("mail");
    let worker = worker.start().await.unwrap();
    let job = || {
        let job = show.job(&json!(1)).unwrap();
        let job = job.retry(RetryPolicy::fixed(1, SECOND));
        let job = job.trace_parent(TRACE).unwrap();
        job.header("Tenant", "Zoë & Söhne").unwrap()
    };
    let one = bed.jobs.enqueue(job()).await.unwrap();
    let later = bed.jobs.enqueue(job().delay(SECOND)).await.unwrap();
    let many = bed.jobs.enqueue_many([job()]).await.remove(0).unwrap();
    let unique = job().unique(naq_jobs::Unique::key("k"));
    let unique = bed.jobs.enqueue(unique).await.unwrap();
    for handle in [one, later, many, unique] {
        assert_eq!(handle.result(LONG).await.unwrap(), [TRACE, "Zoë & Söhne"]);
    }
    worker.stop(LONG).await;
    let job = || ECHO.job(&json!(1)).unwrap();
    for (name, value) in [
        ("Nats-Msg-Id", "x"),
        ("naq-fence", "7"),
        ("", "x"),
        ("a b", "x"),
        ("a:", "x"),
        ("a", "x\r\nNats-Rollup: all"),
    ] {
        let error = job().header(name, value).unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::InvalidName, "{name:?}");
    }
    for bad in [
        "",
        "00-1-2-01",
        &TRACE.to_uppercase(),
        &format!("{TRACE}-1"),
    ] {
        assert!(job().trace_parent(bad).is_err(), "{bad}");
    }
    let large = job().header("large", "x".repeat(1_048_000)).unwrap();
    let error = bed.jobs.enqueue(large).await.unwrap_err();
    assert_eq!(error.kind(), JobsErrorKind::TooLarge);
}

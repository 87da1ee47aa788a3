//! Forms of a handler: extractors, layers, blocking functions, the attribute; and kinds that change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use naq_jobs::{
    AttemptReply, AttemptRequest, FailureReason, FromJob, JobContext, JobError, JobsErrorKind,
    Kind, RetryPolicy, State, Status, job,
};
use naq_testing::eventually_eq;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;
use tower::{Layer, Service};

use crate::setup::{Bed, ECHO, LONG, echo};

const ADD: Kind<u32, u32> = Kind::new("add");
const TICK: Kind<(), String> = Kind::new("tick");

struct Attempt(u32);

impl FromJob for Attempt {
    fn from_job(context: &JobContext) -> Result<Self, JobError> {
        Ok(Self(context.attempt()))
    }
}

async fn everything(
    State(base): State<u32>,
    context: JobContext,
    Attempt(attempt): Attempt,
    State(name): State<&'static str>,
    more: u32,
) -> Result<u32, JobError> {
    assert_eq!((context.attempt(), name), (attempt, "shared"));
    Ok(base + more)
}

async fn without_arguments(State(name): State<&'static str>) -> Result<String, std::fmt::Error> {
    Ok(name.to_owned())
}

#[tokio::test]
async fn a_handler_takes_what_it_asks_for_in_any_order() {
    let bed = Bed::new().await;
    let worker = bed
        .jobs
        .worker()
        .handle(ADD, everything)
        .handle(TICK, without_arguments);
    let worker = worker.state(40_u32).state("shared").start().await.unwrap();
    let sum = bed.jobs.enqueue(ADD.job(&2).unwrap()).await.unwrap();
    assert_eq!(sum.result(LONG).await.unwrap(), 42);
    let tick = bed.jobs.enqueue(TICK.job(&()).unwrap()).await.unwrap();
    assert_eq!(tick.result(LONG).await.unwrap(), "shared");
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_worker_that_lacks_something_does_not_start_and_says_what() {
    let bed = Bed::new().await;
    let refused = async |worker: naq_jobs::Worker, named: &str| {
        let error = worker.start().await.unwrap_err();
        assert_eq!(error.kind(), JobsErrorKind::Configuration);
        assert!(error.to_string().contains(named), "{error}");
    };
    let worker = bed.jobs.worker().handle(ADD, everything).state(1_u32);
    refused(worker, "asks for the state &str").await;
    let worker = bed.jobs.worker().alias("old", ADD);
    refused(worker, "run jobs of old as add: add has no handler").await;
    let third: Kind<u32, u32> = Kind::new("add").version(3);
    let worker = bed
        .jobs
        .worker()
        .state(1_u32)
        .state("")
        .handle(third, everything);
    let worker = worker.upcast(third, 1, |old: u32| old);
    refused(worker, "no `upcast` from version 2").await;
    let worker = bed.jobs.worker().upcast(ADD, 1, |old: u32| old);
    refused(worker, "register its handler first").await;
}

/// Counts attempts and adds to what they return; refuses or panics at some payloads.
#[derive(Clone)]
struct Audit(Arc<AtomicU32>);

#[derive(Clone)]
struct Audited<S>(S, Arc<AtomicU32>);

impl<S> Layer<S> for Audit {
    type Service = Audited<S>;

    fn layer(&self, inner: S) -> Audited<S> {
        Audited(inner, Arc::clone(&self.0))
    }
}

impl<S> Service<AttemptRequest> for Audited<S>
where
    S: Service<AttemptRequest, Response = AttemptReply>,
{
    type Response = AttemptReply;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: AttemptRequest) -> S::Future {
        self.1.fetch_add(1, Ordering::SeqCst);
        assert_ne!(request.payload(), "\"panic\"", "the layer panics");
        if request.payload() == "\"change me\"" {
            request.set_payload("\"changed\"".to_owned()).unwrap();
        }
        self.0.call(request)
    }
}

#[tokio::test]
async fn layers_are_around_every_attempt_and_their_panics_and_limits_are_those_of_the_job() {
    let bed = Bed::new().await;
    let count = Arc::new(AtomicU32::new(0));
    let slow = Kind::<(), ()>::new("slow");
    let worker = bed
        .jobs
        .worker()
        .handle(ECHO, echo)
        .handle(slow, async || {
            std::future::pending::<()>().await;
            Ok::<_, JobError>(())
        })
        .layer(tower::timeout::TimeoutLayer::new(Duration::from_millis(
            100,
        )))
        .layer(tower::limit::ConcurrencyLimitLayer::new(2))
        .layer(Audit(Arc::clone(&count)))
        .start()
        .await
        .unwrap();
    let changed = bed
        .jobs
        .enqueue(ECHO.job(&json!("change me")).unwrap())
        .await
        .unwrap();
    assert_eq!(changed.result(LONG).await.unwrap(), "changed");
    let retry = || RetryPolicy::fixed(1, Duration::ZERO);
    let panics = bed
        .jobs
        .enqueue(ECHO.job(&json!("panic")).unwrap().retry(retry()))
        .await
        .unwrap();
    let failure = panics.outcome(LONG).await.unwrap().error.unwrap();
    assert_eq!(failure.reason, FailureReason::Panic);
    assert!(failure.message.contains("the layer panics"), "{failure}");
    let late = bed
        .jobs
        .enqueue(slow.job(&()).unwrap().retry(retry()))
        .await
        .unwrap();
    let failure = late.outcome(LONG).await.unwrap().error.unwrap();
    assert_eq!(failure.reason, FailureReason::Error);
    assert!(failure.message.contains("timed out"), "{failure}");
    assert_eq!(
        count.load(Ordering::SeqCst),
        5,
        "one, and twice two attempts"
    );
    worker.stop(LONG).await;
}

/// The lease of a blocking job is renewed, and the async jobs beside it go on.
#[tokio::test]
async fn a_blocking_handler_keeps_its_lease_and_blocks_no_one() {
    let bed = Bed::with(|settings| settings.queues.ack_wait = Duration::from_secs(1)).await;
    let block = Kind::<u64, String>::new("block");
    let worker = bed
        .jobs
        .worker()
        .concurrency(3)
        .handle(ECHO, echo)
        .handle_blocking(block, |context, ms| {
            assert!(ms != 7, "seven");
            std::thread::sleep(Duration::from_millis(ms));
            let thread = std::thread::current();
            Ok::<_, JobError>(format!(
                "{} {}",
                thread.name().unwrap_or(""),
                context.attempt()
            ))
        })
        .start()
        .await
        .unwrap();
    let long = bed.jobs.enqueue(block.job(&2500).unwrap()).await.unwrap();
    for n in 0..10 {
        let other = bed
            .jobs
            .enqueue(ECHO.job(&json!(n)).unwrap())
            .await
            .unwrap();
        other.result(LONG).await.unwrap();
    }
    // The blocking one still runs.
    eventually_eq(LONG, 1, async || bed.waiting().await).await;
    assert_eq!(long.result(LONG).await.unwrap(), "naq-blocking 1");
    let panics = bed.jobs.enqueue(block.job(&7).unwrap()).await.unwrap();
    let failure = panics.outcome(LONG).await.unwrap().error.unwrap();
    assert_eq!(
        (failure.reason, failure.message.as_str()),
        (FailureReason::Panic, "seven")
    );
    let report = worker.stop(LONG).await;
    assert_eq!(
        (report.completed, report.failed, report.abandoned),
        (11, 1, 0)
    );
}

#[tokio::test]
async fn a_blocking_handler_sees_the_cancel_and_holds_up_neither_slot_nor_stop() {
    let bed = Bed::new().await;
    let block = Kind::<bool, ()>::new("block");
    let (starting, mut started) = mpsc::unbounded_channel();
    let (ending, mut ended) = mpsc::unbounded_channel();
    let released = Arc::new(AtomicBool::new(false));
    let release = Arc::clone(&released);
    let worker = bed
        .jobs
        .worker()
        .concurrency(2)
        .handle(ECHO, echo)
        .handle_blocking(block, move |context, listens| {
            starting.send(()).unwrap();
            while !release.load(Ordering::SeqCst) {
                if listens && context.is_cancelled() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(ending.send(context.cancel_reason().map(str::to_owned)));
            Err::<(), _>(JobError::message("stopped"))
        })
        .start()
        .await
        .unwrap();
    let job = bed.jobs.enqueue(block.job(&true).unwrap()).await.unwrap();
    started.recv().await.unwrap();
    bed.jobs.cancel(job.id()).reason("enough").await.unwrap();
    assert_eq!(ended.recv().await.unwrap().as_deref(), Some("enough"));
    assert_eq!(job.outcome(LONG).await.unwrap().status, Status::Cancelled);
    // One that does not listen: its slot is free after the time limit all the same.
    let deaf = block
        .job(&false)
        .unwrap()
        .timeout(Duration::from_millis(50));
    let deaf = bed.jobs.enqueue(deaf).await.unwrap();
    let failure = deaf.outcome(LONG).await.unwrap().error.unwrap();
    assert_eq!(failure.reason, FailureReason::Timeout);
    let other = bed
        .jobs
        .enqueue(ECHO.job(&json!(1)).unwrap())
        .await
        .unwrap();
    other.result(LONG).await.unwrap();
    let begun = Instant::now();
    worker.stop(Duration::ZERO).await;
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    released.store(true, Ordering::SeqCst);
}

/// AC-26: only what is registered runs, whatever a kind or a payload says, and a payload is checked before it does.
#[tokio::test]
async fn nothing_runs_but_registered_handlers_with_payloads_that_fit() {
    let bed = Bed::new().await;
    let ran = Arc::new(AtomicU32::new(0));
    let counting = Arc::clone(&ran);
    let worker = bed
        .jobs
        .worker()
        .handle(ADD, move |number: u32| {
            counting.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, JobError>(number) }
        })
        .start()
        .await
        .unwrap();
    let queue = "naq_default_queue";
    for (n, kind) in [
        "os.system",
        "std::process::exit",
        "builtins.eval",
        "worker",
        "_",
    ]
    .iter()
    .enumerate()
    {
        let body = json!({ "v": 1, "kind": kind, "payload": ["touch /tmp/x", 1] });
        bed.publish(queue, &format!("kind-{n}"), body.to_string())
            .await;
    }
    let pickle = json!({ "__reduce__": ["os.system", ["id"]] });
    let payloads = [
        pickle,
        json!("1; exit"),
        json!(-1),
        json!(1e30),
        json!([1]),
        json!(null),
    ];
    for (n, payload) in payloads.into_iter().enumerate() {
        let body = json!({ "v": 1, "kind": "add", "payload": payload, "retry": { "retries": 9 } });
        let id = bed
            .publish(queue, &format!("payload-{n}"), body.to_string())
            .await;
        let outcome = bed.jobs.results().wait(&id, LONG).await.unwrap();
        assert_eq!(
            outcome.error.unwrap().reason,
            FailureReason::InvalidPayload,
            "{n}"
        );
    }
    let good = bed.jobs.enqueue(ADD.job(&7).unwrap()).await.unwrap();
    assert_eq!(good.result(LONG).await.unwrap(), 7);
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    assert_eq!(worker.stop(LONG).await.completed, 1);
}

/// Sends a greeting.
#[job(queue = "mail", retries = 2, timeout = "30s", kind = "mail.send")]
async fn send(
    ctx: &JobContext,
    State(sender): State<&'static str>,
    to: String,
    urgent: bool,
) -> Result<String, JobError> {
    assert_eq!((ctx.queue().as_str(), ctx.retries()), ("mail", 2));
    Ok(format!("{sender} to {to}, urgent: {urgent}"))
}

#[job(queue = "mail")]
fn square(number: u64) -> Result<u64, JobError> {
    number
        .checked_mul(number)
        .ok_or_else(|| JobError::message("too large"))
}

#[job(queue = "mail", version = 2, discard_result = true)]
async fn nothing() -> Result<(), JobError> {
    Ok(())
}

#[tokio::test]
async fn a_function_under_the_attribute_is_enqueued_and_registered_by_its_name() {
    let bed = Bed::new().await;
    assert_eq!(
        (send::KIND.name(), square::KIND.name()),
        ("mail.send", "square")
    );
    let worker = bed
        .jobs
        .worker()
        .state("Ada")
        .register(send)
        .register(square)
        .register(nothing);
    let worker = worker.start().await.unwrap();
    let mail = bed
        .jobs
        .enqueue(send::job("Bob".to_owned(), true).unwrap())
        .await
        .unwrap();
    let text: String = mail.result(LONG).await.unwrap();
    assert_eq!(text, "Ada to Bob, urgent: true");
    let nine = bed.jobs.enqueue(square::job(3).unwrap()).await.unwrap();
    assert_eq!(nine.result(LONG).await.unwrap(), 9);
    // On the wire several arguments are an object with their names, and one is the payload itself.
    let body = json!({ "v": 1, "kind": "mail.send", "retry": { "retries": 2 },
        "payload": { "to": "Cid", "urgent": false } });
    let id = bed.publish("mail", "foreign", body.to_string()).await;
    let outcome = bed.jobs.results().wait(&id, LONG).await.unwrap();
    assert_eq!(
        outcome.into_result::<String>().unwrap(),
        "Ada to Cid, urgent: false"
    );
    // And it is still a function.
    assert_eq!(square::run(4).unwrap(), 16);
    bed.jobs.enqueue(nothing::job().unwrap()).await.unwrap();
    eventually_eq(LONG, 0, async || bed.waiting().await).await;
    assert_eq!(worker.stop(LONG).await.completed, 4);
}

#[derive(Debug, Serialize, Deserialize)]
struct Mail {
    to: String,
    lang: String,
}

const OLD: Kind<String, String> = Kind::new("mail").queue("mail");
const NEW: Kind<Mail, String> = Kind::new("mail").queue("mail").version(3);

/// Old and new senders and workers side by side, as in a rolling deployment, and a kind that was renamed on the way.
#[tokio::test]
async fn old_and_new_workers_side_by_side_run_every_job_once() {
    let bed = Bed::new().await;
    let other = bed.other(|_| {}).await;
    let old = bed
        .jobs
        .worker()
        .handle(OLD, async |to: String| {
            Ok::<_, JobError>(format!("old: {to}"))
        })
        .start()
        .await
        .unwrap();
    let new = bed.jobs.enqueue(
        NEW.job(&Mail {
            to: "Ada".into(),
            lang: "nl".into(),
        })
        .unwrap(),
    );
    let new = new.await.unwrap();
    // The old worker alone keeps it, without an attempt.
    eventually_eq(LONG, 1, async || bed.jobs.stock().await.unwrap().scheduled).await;
    assert!(bed.jobs.results().find(new.id()).await.unwrap().is_none());
    let newer = other
        .worker()
        .handle(NEW, async |context: JobContext, mail: Mail| {
            Ok::<_, JobError>(format!(
                "new: {} {} {}",
                mail.to,
                mail.lang,
                context.attempt()
            ))
        })
        .upcast(NEW, 1, |to: String| json!({ "address": to }))
        .upcast(NEW, 2, |mail: serde_json::Value| Mail {
            to: mail["address"].as_str().unwrap_or("").to_owned(),
            lang: "en".to_owned(),
        })
        .alias("mail.send", NEW)
        .start()
        .await
        .unwrap();
    // As long as both are there, either may get it; it ends at the new one.
    assert_eq!(new.result(LONG).await.unwrap(), "new: Ada nl 1");
    old.stop(LONG).await;
    let first = bed
        .jobs
        .enqueue(OLD.job(&"Bob".to_owned()).unwrap())
        .await
        .unwrap();
    assert_eq!(first.result(LONG).await.unwrap(), "new: Bob en 1");
    let renamed = Kind::<String, String>::new("mail.send").queue("mail");
    let renamed = bed
        .jobs
        .enqueue(renamed.job(&"Cid".to_owned()).unwrap())
        .await
        .unwrap();
    assert_eq!(renamed.result(LONG).await.unwrap(), "new: Cid en 1");
    let report = newer.stop(LONG).await;
    assert_eq!((report.completed, report.failed), (3, 0));
    assert_eq!(bed.server.jsz().await.messages("naq_failed_jobs"), 0);
}

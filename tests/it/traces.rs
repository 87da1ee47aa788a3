//! Traces where nobody makes spans: what came in goes on, and a job without a trace has nothing of one.

use naq_jobs::{JobContext, JobError, Jobs, Kind, State, TraceContext, Workflow, enter_trace};
use serde_json::{Value, json};

use crate::setup::{Bed, ECHO, LONG, echo};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Says to which trace it belongs.
const SHOW: Kind<Value, Seen> = Kind::new("show");
/// The same, on a thread of its own.
const BLOCK: Kind<Value, Seen> = Kind::new("block");
/// Enqueues the others.
const FAN: Kind<Value, Vec<Seen>> = Kind::new("fan");

type Seen = Option<(String, Option<String>)>;

fn seen(context: &JobContext) -> Seen {
    let trace = context.trace()?;
    let state = trace.state().map(ToOwned::to_owned);
    Some((trace.parent().to_owned(), state))
}

async fn fan(_: JobContext, State(jobs): State<Jobs>, _: Value) -> Result<Vec<Seen>, JobError> {
    // Polled anew after this, perhaps by another thread.
    tokio::task::yield_now().await;
    let show = || SHOW.job(&json!(1));
    let one = jobs.enqueue(show()?).await?;
    let blocking = jobs.enqueue(BLOCK.job(&json!(1))?).await?;
    let many = jobs
        .enqueue_many([show()?, show()?.trace_parent(OTHER)?])
        .await;
    let together = jobs.enqueue_all([show()?]).await?;
    let mut handles = vec![one, blocking];
    handles.extend(many.into_iter().collect::<Result<Vec<_>, _>>()?);
    handles.extend(together);
    let mut all = Vec::new();
    for handle in handles {
        all.push(handle.result(LONG).await?);
    }
    let flow = Workflow::new("flow")
        .node("a", show()?)
        .node("b", show()?)
        .after(["a"]);
    let flow = jobs.submit(flow).await?;
    all.push(flow.result("b", LONG).await?);
    Ok(all)
}

#[tokio::test]
async fn what_came_in_goes_on_to_whatever_the_handler_enqueues() {
    let bed = Bed::new().await;
    let worker = bed
        .jobs
        .worker()
        .state(bed.jobs.clone())
        .handle(SHOW, async |context: JobContext, _: Value| {
            Ok::<_, JobError>(seen(&context))
        })
        .handle_blocking(BLOCK, |context: JobContext, _: Value| {
            Ok::<_, JobError>(seen(&context))
        })
        .handle(FAN, fan)
        .start()
        .await
        .unwrap();
    let job = FAN.job(&json!(1)).unwrap().trace_parent(TRACE).unwrap();
    let job = job.header("tracestate", "vendor=7").unwrap();
    let all = bed.run(job).await;
    let same = Some((TRACE.to_owned(), Some("vendor=7".to_owned())));
    let other = Some((OTHER.to_owned(), None));
    assert_eq!(
        all,
        [&same, &same, &same, &other, &same, &same].map(Clone::clone)
    );
    // The same handlers, without a trace.
    let job = FAN.job(&json!(1)).unwrap();
    let all = bed.run(job).await;
    assert_eq!(all, [None, None, None, other, None, None]);
    worker.stop(LONG).await;
}

#[tokio::test]
async fn a_plain_job_has_nothing_of_a_trace_on_the_wire() {
    let bed = Bed::new().await;
    let stored = async |id: &naq_jobs::JobId| {
        let subject = format!("$JS.API.DIRECT.GET.naq_jobs.naq.queue.naq_default_queue.{id}");
        let message = bed.conn().await.request(subject, "").await.unwrap();
        let headers = message.headers.unwrap();
        let names = headers.iter().map(|(name, _)| name.to_string());
        // The server adds its own.
        let own = [
            "Nats-Stream",
            "Nats-Subject",
            "Nats-Sequence",
            "Nats-Time-Stamp",
        ];
        let mut names: Vec<_> = names.filter(|name| !own.contains(&name.as_str())).collect();
        names.sort_unstable();
        names
    };
    let job = || ECHO.job(&json!(1)).unwrap();
    let plain = bed.jobs.enqueue(job()).await.unwrap();
    assert_eq!(stored(plain.id()).await, ["Nats-Msg-Id"]);
    let many = bed.jobs.enqueue_many([job()]).await.remove(0).unwrap();
    assert_eq!(stored(many.id()).await, ["Nats-Msg-Id"]);
    // A program that was told of a trace.
    let context = TraceContext::new(TRACE, None).unwrap();
    let traced = {
        let _entered = enter_trace(&context);
        // Its first poll is here, and takes the trace.
        let mut enqueue = Box::pin(bed.jobs.enqueue(job()));
        assert!(futures::poll!(&mut enqueue).is_pending());
        enqueue
    };
    let traced = traced.await.unwrap();
    assert_eq!(stored(traced.id()).await, ["Nats-Msg-Id", "traceparent"]);
    let worker = bed.jobs.worker().handle(ECHO, echo).start().await.unwrap();
    traced.result(LONG).await.unwrap();
    worker.stop(LONG).await;
}

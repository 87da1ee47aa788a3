//! Traces of jobs: spans of the program, of its jobs and of their handlers are one tree. The program makes its own with
//! `tracing`, as most do.
//!
//! `cargo run -p naq --features otel --example traces` starts a server and a collector of its own, and prints what the
//! collector got. With Jaeger or another collector on port 4318, `Export::from_environment` does the same there.

use std::time::Duration;

use naq::embedded::EmbeddedServer;
use naq::otel::Export;
use naq::{JobContext, JobError, Jobs, Kind, RetryPolicy, Settings, State, Workflow};
use naq_testing::{TraceCollector, tree};
use opentelemetry::global;
use tracing::{Instrument, Level, info_span};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

const ORDER: Kind<String, ()> = Kind::new("order");
const MAIL: Kind<String, ()> = Kind::new("mail");
const PICK: Kind<(), ()> = Kind::new("pick");
const PACK: Kind<(), ()> = Kind::new("pack");
const LABEL: Kind<(), ()> = Kind::new("label");
const SHIP: Kind<(), ()> = Kind::new("ship");

type Failure = Box<dyn std::error::Error>;

/// Time for all of it.
const LONG: Duration = Duration::from_secs(60);

/// Fails at first; then writes a mail, in a span of its own, and lets another job send it.
async fn order(
    context: JobContext,
    State(jobs): State<Jobs>,
    customer: String,
) -> Result<(), JobError> {
    if context.attempt() == 1 {
        return Err(JobError::message("nothing in stock"));
    }
    let mail = info_span!(target: "shop", "write mail").in_scope(|| format!("Dear {customer}"));
    jobs.enqueue(MAIL.job(&mail)?).await?;
    Ok(())
}

async fn step(_: JobContext, (): ()) -> Result<(), JobError> {
    Ok(())
}

fn parcel() -> Result<Workflow, Failure> {
    Ok(Workflow::new("parcel")
        .node("pick", PICK.job(&())?)
        .node("pack", PACK.job(&())?)
        .after(["pick"])
        .node("label", LABEL.job(&())?)
        .after(["pick"])
        .node("ship", SHIP.job(&())?)
        .after(["pack", "label"]))
}

/// Runs an order and a parcel, and says what the collector got.
pub(crate) async fn run() -> Result<String, Failure> {
    let collector = TraceCollector::start();
    let export = Export::to(&collector.endpoint(), "shop")?;
    // Only the spans of this program: those of its libraries are of no interest here.
    let own = Targets::new().with_target("shop", Level::INFO);
    let layer = tracing_opentelemetry::layer().with_tracer(global::tracer("shop"));
    tracing_subscriber::registry()
        .with(layer.with_filter(own))
        .try_init()?;
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let worker = jobs
        .worker()
        .state(jobs.clone())
        .handle(ORDER, order)
        .handle(MAIL, async |_: JobContext, _: String| Ok::<_, JobError>(()))
        .handle(PICK, step)
        .handle(PACK, step)
        .handle(LABEL, step)
        .handle(SHIP, step)
        .start()
        .await?;

    // What is enqueued in a span of the program is below it.
    let checkout = info_span!(target: "shop", "checkout");
    let again = RetryPolicy::fixed(1, Duration::from_millis(50));
    let job = ORDER.job(&"Ada".to_owned())?.retry(again);
    let ordered = jobs.enqueue(job).instrument(checkout).await?;
    ordered.outcome(LONG).await?;
    jobs.submit(parcel()?).await?.wait(LONG).await?;

    worker.stop(LONG).await;
    jobs.shutdown().await;
    server.stop().await?;
    export.shutdown(LONG);
    Ok(tree(&collector.spans()))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    print_tree(&run().await?)
}

fn print_tree(tree: &str) -> Result<(), Failure> {
    use std::io::Write;
    Ok(write!(std::io::stdout(), "{tree}")?)
}

//! What workflows cost, against plain jobs: `cargo run --release --example workflows_cost [nodes] [width]`.
//!
//! Starts a server of its own and one worker, and prints one line per step; the figures of `docs/design/0009-workflows.md`
//! are from here.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::time::{Duration, Instant};

use naq::embedded::EmbeddedServer;
use naq::{Job, JobContext, JobError, Jobs, Kind, Settings, Workflow};

const NOTE: Kind<u64, u64> = Kind::new("note");

/// Longest time that one step may take.
const LIMIT: Duration = Duration::from_secs(600);

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let nodes = numbers.next().transpose()?.unwrap_or(1000);
    let width = numbers.next().transpose()?.unwrap_or(10_000);
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let worker = jobs
        .worker()
        .concurrency(100)
        .handle(NOTE, async |_: JobContext, n: u64| Ok::<_, JobError>(n))
        .start()
        .await?;
    plain(&jobs, 100).await?;

    let each = one_by_one(&jobs, nodes.min(1000)).await?;
    let chain = Workflow::new("chain").chain((0..nodes).map(|n| (format!("n{n}"), note())));
    let took = run(&jobs, &format!("chain of {nodes}"), chain).await?;
    ratio(
        "chain against plain jobs awaited one by one",
        took / u32::try_from(nodes)?,
        each,
    );

    let many = plain(&jobs, nodes).await?;
    let took = run(
        &jobs,
        &format!("graph of {nodes}, 20 layers"),
        layers(nodes),
    )
    .await?;
    ratio("graph against as many plain jobs", took, many);

    let many = plain(&jobs, width).await?;
    let fan = Workflow::new("fan")
        .group("many", (0..width).map(|_| note()))
        .node("join", note())
        .after(["many"]);
    let took = run(&jobs, &format!("fan-in of {width}"), fan).await?;
    ratio("fan-in against as many plain jobs", took, many);

    small(&jobs, nodes / 10).await?;
    worker.stop(Duration::from_secs(10)).await;
    jobs.shutdown().await;
    server.stop().await?;
    Ok(())
}

/// Many small workflows at the same time.
async fn small(jobs: &Jobs, count: usize) -> Result<(), Failure> {
    let began = Instant::now();
    let mut handles = Vec::new();
    for _ in 0..count {
        let small = Workflow::new("small").chain((0..10).map(|n| (format!("n{n}"), note())));
        handles.push(jobs.submit(small).await?);
    }
    println!("{} chains of 10 submitted: {:?}", count, began.elapsed());
    for handle in &handles {
        handle.wait(LIMIT).await?;
    }
    println!(
        "{} chains of 10, side by side: {:?}",
        count,
        began.elapsed()
    );
    Ok(())
}

fn note() -> Job<u64> {
    // The payload is a number, so this cannot fail.
    NOTE.job(&1).unwrap_or_else(|error| unreachable!("{error}"))
}

/// Layers of the same width; each node comes after two of the layer before.
fn layers(nodes: usize) -> Workflow {
    let width = (nodes / 20).max(1);
    let mut workflow = Workflow::new("layers");
    for n in 0..nodes {
        workflow = workflow.node(format!("n{n}"), note());
        if n >= width {
            let first = n - n % width - width;
            workflow = workflow
                .after([first + n % width, first + (n + 1) % width].map(|of| format!("n{of}")));
        }
    }
    workflow
}

/// Runs a workflow to its end.
async fn run(jobs: &Jobs, what: &str, workflow: Workflow) -> Result<Duration, Failure> {
    let began = Instant::now();
    let handle = jobs.submit(workflow).await?;
    let submitted = began.elapsed();
    let outcome = handle.wait(LIMIT).await?;
    let took = began.elapsed();
    println!(
        "{what}: submitted {submitted:?}, over after {took:?}, {}",
        outcome.status
    );
    Ok(took)
}

/// As many plain jobs, enqueued together, and the wait for all of them.
async fn plain(jobs: &Jobs, count: usize) -> Result<Duration, Failure> {
    let began = Instant::now();
    let handles = jobs.enqueue_many((0..count).map(|_| note())).await;
    let last = handles.into_iter().last().ok_or("no jobs")??;
    last.result(LIMIT).await?;
    while jobs.stock().await?.waiting > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = began.elapsed();
    println!("{count} plain jobs: {took:?}");
    Ok(took)
}

/// Plain jobs, the next enqueued when the result of the last one is there; the time of each.
async fn one_by_one(jobs: &Jobs, count: usize) -> Result<Duration, Failure> {
    let began = Instant::now();
    for _ in 0..count {
        jobs.enqueue(note()).await?.result(LIMIT).await?;
    }
    let each = began.elapsed() / u32::try_from(count)?;
    println!("{count} plain jobs, awaited one by one: {each:?} each");
    Ok(each)
}

fn ratio(what: &str, workflow: Duration, plain: Duration) {
    let times = workflow.as_secs_f64() / plain.as_secs_f64();
    println!("  {what}: {times:.2} times ({workflow:?} against {plain:?})");
}

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

/// The server, and jobs on it.
struct Bench {
    server: EmbeddedServer,
    jobs: Jobs,
}

/// Time that something took, and messages that went to the server and came from it, for each job of it.
#[derive(Clone, Copy)]
struct Cost {
    took: Duration,
    to: f64,
    from: f64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let nodes = numbers.next().transpose()?.unwrap_or(1000);
    let width = numbers.next().transpose()?.unwrap_or(10_000);
    let server = EmbeddedServer::builder().monitoring(true).start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let worker = jobs
        .worker()
        .concurrency(100)
        .handle(NOTE, async |_: JobContext, n: u64| Ok::<_, JobError>(n))
        .start()
        .await?;
    let bench = Bench { server, jobs };
    bench.plain(100).await?;

    let each = bench.one_by_one(nodes.min(1000)).await?;
    let chain = Workflow::new("chain").chain((0..nodes).map(|n| (format!("n{n}"), note())));
    let cost = bench
        .run(&format!("chain of {nodes}"), nodes, chain)
        .await?;
    ratio(
        "chain against plain jobs awaited one by one",
        cost.took / u32::try_from(nodes)?,
        each.took,
    );

    let many = bench.plain(nodes).await?;
    let what = format!("graph of {nodes}, 20 layers");
    let cost = bench.run(&what, nodes, layers(nodes)).await?;
    ratio("graph against as many plain jobs", cost.took, many.took);

    let many = bench.plain(width).await?;
    let fan = Workflow::new("fan")
        .group("many", (0..width).map(|_| note()))
        .node("join", note())
        .after(["many"]);
    let cost = bench.run(&format!("fan-in of {width}"), width, fan).await?;
    ratio("fan-in against as many plain jobs", cost.took, many.took);

    bench.small(nodes / 10).await?;
    worker.stop(Duration::from_secs(10)).await;
    bench.jobs.shutdown().await;
    bench.server.stop().await?;
    Ok(())
}

impl Bench {
    /// Messages that the server has got and sent.
    async fn traffic(&self) -> Result<(f64, f64), Failure> {
        let varz = self.server.monitor("/varz").await?;
        let read = |name: &str| varz[name].as_f64().ok_or("no number in /varz");
        Ok((read("in_msgs")?, read("out_msgs")?))
    }

    /// Does something with `count` jobs, and says what it cost.
    async fn measured<T>(
        &self,
        what: &str,
        count: usize,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Cost, Failure> {
        let (before, began) = (self.traffic().await?, Instant::now());
        work.await?;
        let (took, after) = (began.elapsed(), self.traffic().await?);
        let count = f64::from(u32::try_from(count)?);
        let cost = Cost {
            took,
            to: (after.0 - before.0) / count,
            from: (after.1 - before.1) / count,
        };
        println!(
            "{what}: {took:?}; messages per job: {:.1} to the server, {:.1} from it",
            cost.to, cost.from
        );
        Ok(cost)
    }

    /// Many small workflows at the same time.
    async fn small(&self, count: usize) -> Result<Cost, Failure> {
        let work = Box::pin(async {
            let mut handles = Vec::new();
            for _ in 0..count {
                let small =
                    Workflow::new("small").chain((0..10).map(|n| (format!("n{n}"), note())));
                handles.push(self.jobs.submit(small).await?);
            }
            for handle in &handles {
                handle.wait(LIMIT).await?;
            }
            Ok(())
        });
        let what = format!("{count} chains of 10, side by side");
        self.measured(&what, count * 10, work).await
    }

    /// Runs a workflow of `count` jobs to its end.
    async fn run(&self, what: &str, count: usize, workflow: Workflow) -> Result<Cost, Failure> {
        let work = Box::pin(async {
            let handle = self.jobs.submit(workflow).await?;
            let outcome = handle.wait(LIMIT).await?;
            if outcome.is_success() {
                Ok(())
            } else {
                Err(Failure::from("the workflow has failed"))
            }
        });
        self.measured(what, count, work).await
    }

    /// As many plain jobs, enqueued together, and the wait for all of them.
    async fn plain(&self, count: usize) -> Result<Cost, Failure> {
        let work = Box::pin(async {
            let handles = self.jobs.enqueue_many((0..count).map(|_| note())).await;
            let last = handles.into_iter().last().ok_or("no jobs")??;
            last.result(LIMIT).await?;
            while self.jobs.stock().await?.waiting > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        });
        let what = format!("{count} plain jobs");
        self.measured(&what, count, work).await
    }

    /// Plain jobs, the next enqueued when the result of the last one is there; the time of each.
    async fn one_by_one(&self, count: usize) -> Result<Cost, Failure> {
        let work = Box::pin(async {
            for _ in 0..count {
                self.jobs.enqueue(note()).await?.result(LIMIT).await?;
            }
            Ok(())
        });
        let what = format!("{count} plain jobs, awaited one by one");
        let mut cost = self.measured(&what, count, work).await?;
        cost.took /= u32::try_from(count)?;
        Ok(cost)
    }
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

fn ratio(what: &str, workflow: Duration, plain: Duration) {
    let times = workflow.as_secs_f64() / plain.as_secs_f64();
    println!("  {what}: {times:.2} times ({workflow:?} against {plain:?})");
}

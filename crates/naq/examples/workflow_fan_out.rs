//! A nightly fan-out: one job finds the work, adds a job for each piece of it, and a join waits for all of them.
//!
//! `cargo run --release --example workflow_fan_out [pieces]` starts a server of its own; 10,000 pieces by default, or what
//! `NAQ_FAN_OUT` says.

use std::time::{Duration, Instant};

use naq::embedded::EmbeddedServer;
use naq::{JobContext, JobError, Jobs, Kind, Settings, Workflow};

const FIND: Kind<u64, usize> = Kind::new("find");
const PIECE: Kind<u64, u64> = Kind::new("piece");
const JOIN: Kind<(), u64> = Kind::new("join");

type Failure = Box<dyn std::error::Error>;

/// Adds a job for each piece. Should the attempt be repeated, the pieces are there already and nothing is added.
async fn find(context: JobContext, pieces: u64) -> Result<usize, JobError> {
    let workflow = context
        .workflow()
        .ok_or_else(|| JobError::message("no workflow"))?;
    let jobs = (0..pieces)
        .map(|n| PIECE.job(&n))
        .collect::<Result<Vec<_>, _>>()?;
    let more = Workflow::new("pieces")
        .group("pieces", jobs)
        .before(["join"]);
    Ok(workflow.add(more).await?)
}

async fn join(context: JobContext, (): ()) -> Result<u64, JobError> {
    let workflow = context
        .workflow()
        .ok_or_else(|| JobError::message("no workflow"))?;
    let results: Vec<u64> = workflow.results("pieces").await?;
    Ok(results.into_iter().sum())
}

/// Pieces, where no argument says how many: `NAQ_FAN_OUT`, or `usual`.
pub(crate) fn pieces(usual: u64) -> Result<u64, Failure> {
    match std::env::var("NAQ_FAN_OUT") {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(usual),
    }
}

/// Runs the fan-out, and says what the join has found.
pub(crate) async fn run(pieces: u64) -> Result<u64, Failure> {
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let worker = jobs
        .worker()
        .concurrency(100)
        .handle(FIND, find)
        .handle(PIECE, async |_: JobContext, n: u64| {
            Ok::<_, JobError>(n * 2)
        })
        .handle(JOIN, join)
        .start()
        .await?;
    let nightly = Workflow::new("nightly")
        .node("find", FIND.job(&pieces)?)
        .node("join", JOIN.job(&())?)
        .after(["find"]);
    let nightly = jobs.submit(nightly).await?;
    let limit = Duration::from_secs(600);
    nightly.wait(limit).await?;
    let sum = nightly.result("join", limit).await?;
    worker.stop(Duration::from_secs(10)).await;
    jobs.shutdown().await;
    server.stop().await?;
    Ok(sum)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    use std::io::Write;
    let pieces = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => pieces(10_000)?,
    };
    let begun = Instant::now();
    let sum = run(pieces).await?;
    writeln!(
        std::io::stdout(),
        "{pieces} pieces were found, done and joined in {:.1?}: the sum of their results is {sum}",
        begun.elapsed()
    )?;
    Ok(())
}

//! An order as a saga: reserve, charge, ship; what was done is undone if a later step fails.
//!
//! `cargo run --example workflow_saga` starts a server of its own, and lets the shipping fail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use naq::embedded::EmbeddedServer;
use naq::{JobContext, JobError, Jobs, Kind, Settings, Status, Workflow};

/// A step; it fails if its name is that of the payload's second part.
const STEP: Kind<(String, String), ()> = Kind::new("step");

type Failure = Box<dyn std::error::Error>;

fn order(failing: &str) -> Result<Workflow, Failure> {
    let step = |name: &str| STEP.job(&(name.to_owned(), failing.to_owned()));
    Ok(Workflow::new("order")
        .chain([
            ("reserve", step("reserve")?),
            ("charge", step("charge")?),
            ("ship", step("ship")?),
        ])
        // Not shipped: the money goes back, then the goods.
        .node("refund", step("refund")?)
        .after_failure(["ship"])
        .node("release-unshipped", step("release")?)
        .after(["refund"])
        // Not paid: only the goods.
        .node("release-unpaid", step("release")?)
        .after_failure(["charge"])
        .node("tell-customer", step("tell")?)
        .after_end(["ship", "release-unshipped", "release-unpaid"]))
}

/// Runs an order in which the step `failing` fails; says how it ended, and which steps ran, in their order.
pub(crate) async fn run(failing: &str) -> Result<(Status, Vec<String>), Failure> {
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let done = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&done);
    let worker = jobs
        .worker()
        .handle(
            STEP,
            move |_: JobContext, (name, failing): (String, String)| {
                let noted = Arc::clone(&noted);
                async move {
                    if name == failing {
                        return Err(JobError::message(format!("{name} is not possible")));
                    }
                    noted
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(name);
                    Ok(())
                }
            },
        )
        .start()
        .await?;
    let order = jobs.submit(order(failing)?).await?;
    let outcome = order.wait(Duration::from_secs(60)).await?;
    worker.stop(Duration::from_secs(10)).await;
    jobs.shutdown().await;
    server.stop().await?;
    let steps = done.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((outcome.status, steps))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    use std::io::Write;
    let (status, steps) = run("ship").await?;
    writeln!(std::io::stdout(), "{status}: {}", steps.join(", "))?;
    Ok(())
}

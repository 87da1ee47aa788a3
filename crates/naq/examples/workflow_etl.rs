//! An ETL of eleven jobs: three extracts, each cleaned, checked together, loaded and archived side by side, and a report.
//!
//! `cargo run --example workflow_etl` starts a server of its own.

use std::time::Duration;

use naq::embedded::EmbeddedServer;
use naq::{JobContext, JobError, Jobs, Kind, Settings, Workflow};

const EXTRACT: Kind<String, u64> = Kind::new("extract").retries(3);
const CLEAN: Kind<String, u64> = Kind::new("clean");
const VALIDATE: Kind<Vec<String>, u64> = Kind::new("validate");
const STORE: Kind<String, u64> = Kind::new("store");
const REPORT: Kind<(), String> = Kind::new("report");
const NOTIFY: Kind<(), String> = Kind::new("notify");

type Failure = Box<dyn std::error::Error>;

/// The result of another node of the same workflow.
async fn result<T: serde::de::DeserializeOwned>(
    context: &JobContext,
    node: &str,
) -> Result<T, JobError> {
    let workflow = context
        .workflow()
        .ok_or_else(|| JobError::message("no workflow"))?;
    Ok(workflow.result(node).await?)
}

fn etl() -> Result<Workflow, Failure> {
    let tables = ["orders", "customers", "products"];
    let mut etl = Workflow::new("etl").deadline(Duration::from_secs(3600));
    for table in tables {
        let (extract, clean) = (format!("extract-{table}"), format!("clean-{table}"));
        etl = etl
            .node(&extract, EXTRACT.job(&table.to_owned())?)
            .node(&clean, CLEAN.job(&extract)?)
            .after([&extract]);
    }
    let cleaned = tables.map(|table| format!("clean-{table}"));
    Ok(etl
        .node("validate", VALIDATE.job(&cleaned.to_vec())?)
        .after(cleaned)
        .node("load", STORE.job(&"warehouse".to_owned())?)
        .after(["validate"])
        .node("archive", STORE.job(&"archive".to_owned())?)
        .after(["validate"])
        .node("report", REPORT.job(&())?)
        .after(["load", "archive"])
        .node("notify", NOTIFY.job(&())?)
        .after(["report"]))
}

/// Runs it, and says what is notified.
pub(crate) async fn run() -> Result<String, Failure> {
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let worker = jobs
        .worker()
        .handle(EXTRACT, async |_: JobContext, table: String| {
            Ok::<_, JobError>(u64::try_from(table.len()).unwrap_or(0) * 100)
        })
        .handle(CLEAN, async |context: JobContext, from: String| {
            let rows: u64 = result(&context, &from).await?;
            Ok::<_, JobError>(rows - rows / 10)
        })
        .handle(VALIDATE, async |context: JobContext, parts: Vec<String>| {
            let mut rows = 0;
            for part in parts {
                rows += result::<u64>(&context, &part).await?;
            }
            Ok::<_, JobError>(rows)
        })
        .handle(STORE, async |context: JobContext, _: String| {
            result::<u64>(&context, "validate").await
        })
        .handle(REPORT, async |context: JobContext, (): ()| {
            let (loaded, archived) = (
                result::<u64>(&context, "load").await?,
                result::<u64>(&context, "archive").await?,
            );
            Ok::<_, JobError>(format!("{loaded} rows loaded, {archived} archived"))
        })
        .handle(NOTIFY, async |context: JobContext, (): ()| {
            let report: String = result(&context, "report").await?;
            Ok::<_, JobError>(format!("done: {report}"))
        })
        .start()
        .await?;
    let etl = jobs.submit(etl()?).await?;
    let said = etl.result("notify", Duration::from_secs(60)).await?;
    etl.wait(Duration::from_secs(60)).await?;
    worker.stop(Duration::from_secs(10)).await;
    jobs.shutdown().await;
    server.stop().await?;
    Ok(said)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{}", run().await?)?;
    Ok(())
}

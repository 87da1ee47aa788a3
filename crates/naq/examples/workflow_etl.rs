//! An ETL of eleven jobs: three extracts, each cleaned, checked together, loaded and archived side by side, and a report.
//!
//! `cargo run --example workflow_etl` starts a server of its own.

use std::time::Duration;

use naq::embedded::EmbeddedServer;
use naq::{JobContext, JobError, Jobs, Kind, Outcome, Settings, Workflow, WorkflowHandle};

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

/// A job that has run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) name: String,
    pub(crate) took: Duration,
    /// It is on the path that took longest: who wants the whole to be faster begins there.
    pub(crate) is_on_path: bool,
}

/// The jobs of a workflow that is over, in the order of the graph.
async fn ran(jobs: &Jobs, etl: &WorkflowHandle) -> Result<Vec<Ran>, Failure> {
    let status = jobs.workflows().with_times(etl.status().await?).await?;
    let (path, _) = status.critical_path();
    let nodes = status.in_order().into_iter().map(|at| &status.nodes[at]);
    let ran = nodes.map(|node| Ran {
        name: node.name.clone(),
        took: node
            .outcome
            .as_ref()
            .map(Outcome::duration)
            .unwrap_or_default(),
        is_on_path: path.iter().any(|on_path| on_path.name == node.name),
    });
    Ok(ran.collect())
}

/// Runs it; says what is notified, and what ran.
pub(crate) async fn run() -> Result<(String, Vec<Ran>), Failure> {
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let worker = jobs
        .worker()
        .handle(EXTRACT, async |_: JobContext, table: String| {
            let rows = u64::try_from(table.len()).unwrap_or(0) * 100;
            // As long as a table of that size takes.
            tokio::time::sleep(Duration::from_micros(rows * 20)).await;
            Ok::<_, JobError>(rows)
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
    let ran = ran(&jobs, &etl).await?;
    worker.stop(Duration::from_secs(10)).await;
    jobs.shutdown().await;
    server.stop().await?;
    Ok((said, ran))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout();
    let (said, ran) = run().await?;
    for job in ran {
        let mark = if job.is_on_path { "*" } else { " " };
        writeln!(out, "{mark} {:<18} {:>6.1?}", job.name, job.took)?;
    }
    writeln!(out, "{said}   (* the path that took longest)")?;
    Ok(())
}

//! A web service that makes reports: upload, status, progress as it comes, download, cancel, and a webhook.
//!
//! `cargo run --example web` starts a server of its own, makes a report over HTTP and ends. With `-- serve` it stays, for a
//! browser, until Ctrl-C.

mod client;
mod page;
mod routes;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use naq::embedded::EmbeddedServer;
use naq::{JobContext, JobError, Jobs, Kind, RunningWorker, Settings};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use client::{ask, listen};

/// Sums up an uploaded table; the result is the finished file.
const REPORT: Kind<String, String> = Kind::new("report").queue("reports");
/// Books a payment that a webhook has told of.
const PAYMENT: Kind<Payment, u64> = Kind::new("payment").queue("payments");

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the payment service sends; it may send the same one several times.
#[derive(Debug, Serialize, Deserialize)]
struct Payment {
    id: String,
    cents: u64,
}

/// One line is one step: `name,number`.
async fn report(context: JobContext, table: String) -> Result<String, JobError> {
    let lines: Vec<&str> = table.lines().collect();
    let total = u64::try_from(lines.len())?;
    let mut sum = 0_i64;
    for (done, line) in (1..).zip(lines) {
        let (name, number) = line.split_once(',').ok_or_else(|| {
            JobError::fatal(JobError::message(format!(
                "line {done} has no comma: {line}"
            )))
        })?;
        let number: i64 = number
            .trim()
            .parse()
            .map_err(|error| JobError::fatal(JobError::message(format!("line {done}: {error}"))))?;
        sum = sum.saturating_add(number);
        // So that there is something to see.
        tokio::time::sleep(Duration::from_millis(200)).await;
        context.progress(done, total).message(name);
    }
    Ok(format!("lines,sum\n{total},{sum}\n"))
}

/// What answers browsers.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    closing: watch::Sender<bool>,
    serving: JoinSet<std::io::Result<()>>,
}

impl Web {
    pub(crate) async fn start(jobs: Jobs, address: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (closing, mut closed) = watch::channel(false);
        let serve = axum::serve(listener, routes::all(jobs, closed.clone()))
            .with_graceful_shutdown(async move {
                drop(closed.wait_for(|is_closing| *is_closing).await)
            });
        let mut serving = JoinSet::new();
        serving.spawn(serve.into_future());
        Ok(Self {
            address,
            closing,
            serving,
        })
    }

    /// What is being answered gets a moment.
    pub(crate) async fn stop(&mut self) {
        self.closing.send_replace(true);
        let end = self.serving.join_next();
        drop(tokio::time::timeout(Duration::from_secs(5), end).await);
        self.serving.shutdown().await;
    }
}

/// The service with all that it needs.
pub(crate) struct Service {
    pub(crate) web: Web,
    worker: RunningWorker,
    pub(crate) jobs: Jobs,
    pub(crate) server: EmbeddedServer,
}

impl Service {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let server = EmbeddedServer::builder().start().await?;
        let mut settings = Settings::default();
        settings.nats.servers = vec![server.url()];
        let jobs = Jobs::connect(settings).await?;
        // In a real service the worker is a process of its own.
        let worker = jobs
            .worker()
            .handle(REPORT, report)
            .handle(PAYMENT, async |_: JobContext, payment: Payment| {
                Ok::<_, JobError>(payment.cents)
            })
            .start()
            .await?;
        let web = Web::start(jobs.clone(), (Ipv4Addr::LOCALHOST, 0).into()).await?;
        Ok(Self {
            web,
            worker,
            jobs,
            server,
        })
    }

    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        self.web.stop().await;
        self.worker.stop(Duration::from_secs(5)).await;
        self.jobs.shutdown().await;
        Ok(self.server.stop().await?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    use std::io::Write;
    let service = Service::start().await?;
    let mut out = std::io::stdout();
    writeln!(out, "http://{}/", service.web.address)?;
    if std::env::args().nth(1).as_deref() == Some("serve") {
        tokio::signal::ctrl_c().await?;
        return service.stop().await;
    }
    let table = "Ada,3\nGrace,4\nEdsger,5\nBarbara,6\nDonald,7";
    let (_, made) = ask(service.web.address, "POST", "/reports", table).await?;
    writeln!(out, "POST /reports: {made}")?;
    let made: serde_json::Value = serde_json::from_str(&made)?;
    let path = format!("/reports/{}", made["id"].as_str().unwrap_or_default());
    for (event, data) in listen(service.web.address, &format!("{path}/events")).await? {
        writeln!(out, "{event}: {data}")?;
    }
    let (_, file) = ask(service.web.address, "GET", &format!("{path}/file"), "").await?;
    writeln!(out, "{file}")?;
    service.stop().await
}

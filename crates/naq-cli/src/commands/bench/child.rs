//! A worker process of its own: `naq bench --child PLAN`.
//!
//! ```text
//!   benchmark                        child
//!       ── starts it, with a plan ──►  connects
//!       ◄── {"ready":true} ──────────
//!       ── a line ──────────────────►  starts its worker
//!       ◄── {"done":n,"at_us":t} ────  now and then, if it changed
//!       ── end of input ────────────►  stops
//! ```

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq::{JobContext, Settings};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, stdin};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::drain::GRACE;
use super::load::{NOOP, Note, noop};
use super::stage::Stage;
use crate::context::{Context, connect};
use crate::error::CliError;
use crate::exit_code;

/// What a child has to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The servers, if they are the benchmark's; else those of the configuration.
    servers: Option<Vec<String>>,
    max_ack_pending: u32,
    replicas: (u8, u8),
    prefix: String,
    pub(super) queues: Vec<String>,
    pub(super) concurrency: u32,
    /// How often it says how far it is, in milliseconds.
    pub(super) tell_ms: u64,
}

/// What a child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Said {
    Ready {
        ready: bool,
    },
    /// Jobs completed, and when, in microseconds since 1970.
    Progress {
        done: u64,
        at_us: u64,
    },
}

/// The benchmark's end of a child.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    pub(super) pid: u32,
}

impl Worker {
    /// Starts a process, connected and waiting for [`Self::go`].
    pub(super) async fn start(
        context: &Context,
        stage: &Stage,
        queues: Vec<String>,
        concurrency: u32,
        tell_ms: u64,
    ) -> Result<Self, CliError> {
        let settings = stage.naq_settings();
        let plan = Plan {
            servers: stage.is_ours().then(|| settings.nats.servers.clone()),
            max_ack_pending: settings.queues.max_ack_pending,
            replicas: (settings.queues.replicas, settings.results.replicas),
            prefix: settings.queues.prefix,
            queues,
            concurrency,
            tell_ms,
        };
        let failed = |e: &std::io::Error| {
            CliError::new(exit_code::INTERNAL, "failed to start a worker process").because(e)
        };
        let program = std::env::current_exe().map_err(|e| failed(&e))?;
        let mut command = Command::new(program);
        command.args(context.globals.again());
        command.args([
            "bench",
            "--child",
            &serde_json::to_string(&plan).unwrap_or_default(),
        ]);
        if let Some(server) = stage.server_flag() {
            command.args(["--server", server]);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| failed(&e))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let Some(output) = output else {
            return Err(CliError::new(
                exit_code::INTERNAL,
                "a worker process has no output",
            ));
        };
        let mut worker = Self {
            pid: child.id().unwrap_or_default(),
            child,
            input,
            output: BufReader::new(output).lines(),
        };
        worker.next().await?;
        Ok(worker)
    }

    /// Lets its worker begin.
    pub(super) async fn go(&mut self) -> Result<(), CliError> {
        if let Some(input) = &mut self.input {
            input.write_all(b"go\n").await?;
        }
        Ok(())
    }

    /// What it says next.
    ///
    /// Cancel safe: a line that was not read is read by the next call.
    pub(super) async fn next(&mut self) -> Result<Said, CliError> {
        let line = self.output.next_line().await?;
        let said = line.and_then(|line| serde_json::from_str(&line).ok());
        said.ok_or_else(|| CliError::new(exit_code::INTERNAL, "a worker process has ended early"))
    }

    /// Ends it; its worker stops well.
    pub(super) async fn stop(mut self) -> Result<(), CliError> {
        drop(self.input.take());
        let ended = tokio::time::timeout(GRACE * 2, async {
            while self.output.next_line().await?.is_some() {}
            self.child.wait().await
        });
        match ended.await {
            Ok(ended) => Ok(ended.map(drop)?),
            Err(_) => Ok(self.child.kill().await?),
        }
    }
}

/// The child's part.
pub(super) async fn run(
    context: &Context,
    server: Option<&str>,
    plan: &str,
) -> Result<(), CliError> {
    let plan: Plan =
        serde_json::from_str(plan).map_err(|e| CliError::usage(format!("--child: {e}")))?;
    let mut settings = match &plan.servers {
        None => context.settings_with(|loader| match server {
            Some(url) => loader.set_by("--server", "nats.servers", url),
            None => loader,
        })?,
        Some(servers) => {
            let mut settings = Settings::default();
            settings.nats.servers.clone_from(servers);
            settings
        }
    };
    settings.nats.client_name = "naq-bench-worker".to_owned();
    settings.queues.prefix = plan.prefix;
    settings.queues.max_ack_pending = plan.max_ack_pending;
    (settings.queues.replicas, settings.results.replicas) = plan.replicas;
    let jobs = connect(settings).await?;
    let mut worker = jobs.worker().concurrency(plan.concurrency);
    for queue in plan.queues {
        worker = worker.queue(queue);
    }
    let worker = worker.handle(NOOP, async |_: JobContext, _: Note| noop().await);
    context.output.json(&Said::Ready { ready: true })?;
    let mut input = BufReader::new(stdin()).lines();
    if input.next_line().await?.is_none() {
        return Ok(());
    }
    let worker = Box::pin(worker.start()).await?;
    let (mut told, mut tick) = (
        0,
        tokio::time::interval(Duration::from_millis(plan.tell_ms.max(1))),
    );
    loop {
        tokio::select! {
            line = input.next_line() => if line?.is_none() { break },
            _ = tick.tick() => {
                let done = worker.report().completed;
                if done != told {
                    context.output.json(&Said::Progress { done, at_us: now_us() })?;
                    told = done;
                }
            }
        }
    }
    worker.stop(GRACE).await;
    jobs.shutdown().await;
    Ok(())
}

/// Microseconds since 1970: processes have no other clock in common.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

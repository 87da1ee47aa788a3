//! What the caller holds of a running server.
//!
//! Owns: the supervisor's task, which owns the process.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::builder::Builder;
use crate::child::{Launch, Ports, Process, until_frozen};
use crate::error::{EmbeddedError, EmbeddedErrorKind};
use crate::lookup::{ServerBinary, Version};
use crate::monitor;
use crate::supervisor::{Order, Orders, Phase, RestartPolicy, Status, Supervisor};

/// A nats-server with JetStream on a loopback port, restarted when it dies by itself.
///
/// [`stop`](Self::stop) ends it gracefully. Dropped without a stop, it is ended in the background (SIGTERM, after a
/// second SIGKILL), also when this process is killed.
#[derive(Debug)]
#[must_use = "dropping it ends the server"]
pub struct EmbeddedServer {
    binary: ServerBinary,
    name: String,
    ports: Ports,
    store_dir: PathBuf,
    log_file: PathBuf,
    orders: Orders,
    status: watch::Receiver<Status>,
    supervisor: JoinSet<()>,
}

impl EmbeddedServer {
    /// Describes a server; [`Builder::start`] starts it.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn supervised(launch: Launch, process: Process, policy: RestartPolicy) -> Self {
        let (binary, ports) = (launch.binary.clone(), launch.ports);
        let name = launch.config.server_name.clone();
        let store_dir = launch.store_path().to_owned();
        let log_file = launch.log_path();
        let (task, orders, status) = Supervisor::new(launch, process, policy);
        let mut supervisor = JoinSet::new();
        supervisor.spawn(task.run());
        Self {
            binary,
            name,
            ports,
            store_dir,
            log_file,
            orders,
            status,
            supervisor,
        }
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.ports.client)
    }

    /// The client port; stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.ports.client
    }

    /// `http://127.0.0.1:<port>`, if monitoring is on; stays the same over restarts.
    pub fn monitoring_url(&self) -> Option<String> {
        let port = self.ports.monitoring?;
        Some(format!("http://127.0.0.1:{port}"))
    }

    /// Version of the server.
    pub fn version(&self) -> Version {
        self.binary.version
    }

    /// The binary that runs, and where it was found.
    pub fn binary(&self) -> &ServerBinary {
        &self.binary
    }

    /// Name of the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Process id of the server itself, while it runs. Changes with every restart.
    pub fn pid(&self) -> Option<u32> {
        self.status.borrow().pid
    }

    /// Where JetStream keeps its data.
    pub fn store_dir(&self) -> &Path {
        &self.store_dir
    }

    /// The server's log; gone after the stop.
    pub fn log_file(&self) -> &Path {
        &self.log_file
    }

    /// Where the server stands, now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Where the server stands, and every change of it. Closed once the server is stopped.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// How often it came back since it was first started.
    pub fn restarts(&self) -> u64 {
        self.status.borrow().restarts
    }

    /// The JSON that the monitoring endpoint `path` (such as `/connz?subs=1`) answers with.
    ///
    /// # Errors
    /// [`EmbeddedErrorKind::Monitoring`] if monitoring is off, the server is down, or the answer is not 200 with JSON.
    /// A retry helps if the server is starting.
    pub async fn monitor(&self, path: &str) -> Result<Value, EmbeddedError> {
        let Some(port) = self.ports.monitoring else {
            return Err(EmbeddedError::new(
                EmbeddedErrorKind::Monitoring,
                "monitoring is off; start the server with `.monitoring(true)`",
            ));
        };
        monitor::get(port, path).await
    }

    /// Ends the server gracefully (SIGTERM, after the grace SIGKILL), waits until it is gone, and removes the
    /// temporary store.
    ///
    /// # Errors
    /// [`EmbeddedErrorKind::NotRunning`] if the supervisor's task had died. A retry does not help.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        let outcome = self.orders.give(Order::Stop).await;
        while self.supervisor.join_next().await.is_some() {}
        outcome
    }

    /// Ends the server gracefully and keeps it down, with its store, until [`start_again`](Self::start_again).
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub async fn terminate(&self) -> Result<(), EmbeddedError> {
        self.orders.give(Order::Terminate).await
    }

    /// Ends the server with SIGKILL and keeps it down, with its store, until [`start_again`](Self::start_again).
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub async fn kill(&self) -> Result<(), EmbeddedError> {
        self.orders.give(Order::Kill).await
    }

    /// Starts a server that is down, on its old port and store, and waits until it serves. Does nothing if it runs.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start_again(&self) -> Result<(), EmbeddedError> {
        self.orders.give(Order::Start).await
    }

    /// Ends the server gracefully, starts it on the same port and store, and waits until it serves.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn restart(&self) -> Result<(), EmbeddedError> {
        self.orders.give(Order::Restart).await
    }

    /// Tells the server to let its clients go, then to end (lame duck mode, SIGUSR2). It then stays down until
    /// [`start_again`](Self::start_again). Returns at once; the server takes 10 s and more.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub async fn lame_duck(&self) -> Result<(), EmbeddedError> {
        self.orders.give(Order::LameDuck).await
    }

    /// Freezes the server (SIGSTOP): its connections stay open and nothing answers. On Linux, waits until it stands.
    ///
    /// # Errors
    /// [`EmbeddedErrorKind::NotRunning`] if there is no process. A retry helps if it is being restarted.
    pub async fn pause(&self) -> Result<(), EmbeddedError> {
        let pid = self.signal(Signal::STOP)?;
        until_frozen(pid).await;
        Ok(())
    }

    /// Lets a frozen server go on (SIGCONT).
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub fn resume(&self) -> Result<(), EmbeddedError> {
        self.signal(Signal::CONT).map(drop)
    }

    fn signal(&self, signal: Signal) -> Result<Pid, EmbeddedError> {
        let status = self.status.borrow();
        let down = || {
            EmbeddedError::new(
                EmbeddedErrorKind::NotRunning,
                format!("the server has no process now ({:?})", status.phase),
            )
        };
        let raw = status.pid.and_then(|pid| i32::try_from(pid).ok());
        let pid = raw.and_then(Pid::from_raw).ok_or_else(down)?;
        rustix::process::kill_process(pid, signal).map_err(|e| down().with_source(e))?;
        Ok(pid)
    }

    /// Whether it serves, as far as its supervisor knows.
    pub fn is_running(&self) -> bool {
        self.status.borrow().phase == Phase::Running
    }
}

//! Brings one server up: writes its configuration, starts the process, waits until it serves.
//!
//! Owns: the run directory, the store, and the ports.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::config::{Ports, ServerConfig};
use super::failure::explain;
use super::held_port::HeldPort;
use super::process::Process;
use super::ready::{Question, is_ready};
use super::run_dir::RunDir;
use super::store::Store;
use crate::error::{EmbeddedError, EmbeddedErrorKind};
use crate::lookup::ServerBinary;

/// A start takes 5 to 15 ms, so a finer step than usual pays.
const POLL: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) binary: ServerBinary,
    pub(crate) config: ServerConfig,
    pub(crate) run_dir: RunDir,
    pub(crate) store: Store,
    pub(crate) ports: Ports,
    /// Those of the ports that the user did not choose.
    pub(crate) _held: Vec<HeldPort>,
    pub(crate) start_deadline: Duration,
    pub(crate) stop_grace: Duration,
}

impl Launch {
    /// Starts the process. It is not ready yet.
    pub(crate) async fn spawn(&mut self) -> Result<Process, EmbeddedError> {
        let text = self.config.render(self.ports, self.store.path());
        fs::write(self.run_dir.config(), text)
            .map_err(|e| EmbeddedError::system("the run directory cannot be written", e))?;
        let config = self.run_dir.config();
        let arguments = [OsStr::new("-c"), config.as_os_str()];
        let log = self.run_dir.log();
        // From here on the shim may be the last one alive.
        self.run_dir.leave_to_shim(true);
        let process =
            Process::spawn(&self.binary.path, &arguments, self.run_dir.path(), &log).await;
        process.map_err(|e| {
            self.run_dir.leave_to_shim(false);
            EmbeddedError::system("the shim of nats-server (/bin/sh) cannot be started", e)
        })
    }

    /// Waits until `process` serves. On failure the process is gone.
    pub(crate) async fn ready(&mut self, process: &mut Process) -> Result<(), EmbeddedError> {
        let deadline = self.start_deadline;
        let outcome = tokio::select! {
            exit = process.wait() => {
                let how = exit.map_or_else(|e| e.to_string(), |exit| exit.to_string());
                Err(explain(&how, self.run_dir.log_tail()))
            }
            ready = timeout(deadline, self.poll()) => ready.map_err(|_| {
                EmbeddedError::new(
                    EmbeddedErrorKind::NotReady,
                    format!("the server was not ready within {deadline:?}"),
                )
                .with_log(self.run_dir.log_tail())
            }),
        };
        if outcome.is_err() {
            self.kill(process).await;
        }
        outcome
    }

    /// SIGKILL, then waits until the process is gone.
    pub(crate) async fn kill(&mut self, process: &mut Process) {
        if let Err(e) = process.kill().await {
            tracing::warn!("nats-server cannot be waited for: {e}");
        }
        self.gone();
    }

    /// SIGTERM, after the grace SIGKILL, then waits until the process is gone.
    pub(crate) async fn terminate(&mut self, process: &mut Process) {
        if let Err(e) = process.terminate(self.stop_grace).await {
            tracing::warn!("nats-server cannot be waited for: {e}");
        }
        self.gone();
    }

    /// To be told when the process has ended by itself: no shim is left that could tidy up.
    pub(crate) fn gone(&mut self) {
        self.run_dir.leave_to_shim(false);
    }

    pub(crate) fn log_path(&self) -> std::path::PathBuf {
        self.run_dir.log()
    }

    pub(crate) fn store_path(&self) -> &Path {
        self.store.path()
    }

    async fn poll(&self) {
        let question = Question {
            port: self.ports.client,
            server_name: &self.config.server_name,
            jetstream: self.config.cluster.is_none(),
        };
        while !is_ready(question).await {
            sleep(POLL).await;
        }
    }
}

//! The child: a shell shim, and below it the server.
//!
//! Owns: the lifeline, a pipe into the shim that nobody writes to. When this process is gone, or a [`Process`] is
//! dropped, the pipe closes and the shim ends the server: SIGTERM, after a second SIGKILL. A shim, because the
//! kernel's own means (a parent-death signal set between fork and exec) needs unsafe code and is bound to the thread
//! that forked. Both run in their own process group, so a terminal's Ctrl-C reaches only us and we choose the order of
//! shutting down.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};

const SHIM: &str = include_str!("shim.sh");

/// The shim's first line comes within milliseconds; this only bounds a machine that is out of its mind.
const SHIM_DEADLINE: Duration = Duration::from_secs(10);

const ORPHAN_DEADLINE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    _lifeline: ChildStdin,
    shim: Pid,
    server: Pid,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// The shim was killed, and the server with it.
    Shim,
}

impl Process {
    /// Starts `binary`, which logs to `log`; `run_dir` is removed by the shim once we are gone.
    pub(crate) async fn spawn(
        binary: &Path,
        arguments: &[&OsStr],
        run_dir: &Path,
        log: &Path,
    ) -> io::Result<Self> {
        // In a file, so that a list of processes stays readable.
        let shim = run_dir.join("shim.sh");
        std::fs::write(&shim, SHIM)?;
        let mut child = Command::new("/bin/sh")
            .args([&shim, run_dir, log, binary])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let lost = || io::Error::other("the shim's pipes are missing");
        let lifeline = child.stdin.take().ok_or_else(lost)?;
        let stdout = child.stdout.take().ok_or_else(lost)?;
        let shim = child.id().and_then(as_pid).ok_or_else(lost)?;
        let mut line = String::new();
        timeout(SHIM_DEADLINE, BufReader::new(stdout).read_line(&mut line)).await??;
        let server = line.trim().parse().ok().and_then(as_pid);
        let server = server.ok_or_else(|| io::Error::other("the shim did not start the server"))?;
        Ok(Self {
            child,
            _lifeline: lifeline,
            shim,
            server,
        })
    }

    /// Process id of the server itself.
    pub(crate) fn pid(&self) -> Pid {
        self.server
    }

    /// Waits until the server is gone. May be called again after it was dropped half-way.
    pub(crate) async fn wait(&mut self) -> io::Result<Exit> {
        let status = self.child.wait().await?;
        let exit = Exit::of_shim(status);
        if exit == Exit::Shim {
            // Whoever killed the shim has left the server running: the same port and store must be free again.
            let _ = rustix::process::kill_process_group(self.shim, Signal::KILL);
            let gone = async {
                while rustix::process::test_kill_process(self.server).is_ok() {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            // Bounded: under an init that does not reap, the dead server stays visible for ever.
            let _ = timeout(ORPHAN_DEADLINE, gone).await;
        }
        Ok(exit)
    }

    /// SIGKILL, then waits.
    pub(crate) async fn kill(&mut self) -> io::Result<Exit> {
        self.signal(Signal::KILL);
        self.wait().await
    }

    /// SIGTERM, after `grace` SIGKILL, then waits.
    pub(crate) async fn terminate(&mut self, grace: Duration) -> io::Result<Exit> {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
        match timeout(grace, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => {
                tracing::warn!(pid = %self.server, "nats-server did not end within {grace:?}: killed");
                self.kill().await
            }
        }
    }

    /// A server that is already gone needs no signal, so that failure is none.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = rustix::process::kill_process(self.server, signal);
    }
}

impl Exit {
    fn of_shim(status: ExitStatus) -> Self {
        match status.code() {
            None => Self::Shim,
            // How a shell passes on that its child was ended by a signal.
            Some(code) if code > 128 => Self::Signal(code - 128),
            Some(code) => Self::Code(code),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Shim => f.write_str("its shim was killed"),
        }
    }
}

fn as_pid(raw: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(raw).ok()?)
}

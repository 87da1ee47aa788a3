//! Runs the binary as a person would: a directory of its own, no settings from outside.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What a command may take at the most, here.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// `naq` in `dir`.
pub(crate) fn naq(dir: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_naq"));
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        let is_ours = name_text.starts_with("NAQ_") && name_text != "NAQ_NATS_SERVER";
        if is_ours || name_text.starts_with("OTEL_") || name_text.starts_with("TRACE") {
            command.env_remove(name);
        }
    }
    command.args(args).current_dir(dir).stdin(Stdio::null());
    command
}

/// What a command has said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// Standard output as the one JSON value that it must be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// Runs `naq` to its end.
pub(crate) fn run(dir: &Path, args: &[&str]) -> Said {
    Said::of(naq(dir, args).output().unwrap())
}

/// Runs `naq` with something on standard input.
pub(crate) fn run_with_input(dir: &Path, args: &[&str], input: &str) -> Said {
    let mut command = naq(dir, args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    Said::of(child.wait_with_output().unwrap())
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Asks until it is so; a panic names what was waited for.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `naq dev` on a free port, as long as it lives.
#[derive(Debug)]
pub(crate) struct Dev {
    child: Child,
    _out: BufReader<ChildStdout>,
    pub(crate) url: String,
    /// What it said at its start.
    pub(crate) banner: String,
    pub(crate) dir: PathBuf,
}

impl Dev {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_on(dir, 0)
    }

    pub(crate) fn start_on(dir: &Path, port: u16) -> Self {
        let mut command = naq(dir, ["dev", "--port", &port.to_string()]);
        command.stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("Ctrl-C") {
            assert_ne!(
                out.read_line(&mut banner).unwrap(),
                0,
                "naq dev has ended: {banner}"
            );
        }
        let at = banner.find("nats://").unwrap();
        let url = banner[at..].split_whitespace().next().unwrap().to_owned();
        Self {
            child,
            _out: out,
            url,
            banner,
            dir: dir.to_owned(),
        }
    }

    /// Runs `naq` against it.
    pub(crate) fn naq(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().unwrap())
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = naq(&self.dir, args);
        command.env("NAQ_NATS_URL", &self.url);
        command
    }

    /// Starts a worker with these handlers, and waits until it shows itself.
    pub(crate) fn worker(&self, config: &str) -> Worker {
        self.worker_with(config, &[])
    }

    /// As [`Self::worker`], with flags.
    pub(crate) fn worker_with(&self, config: &str, flags: &[&str]) -> Worker {
        self.worker_in(config, flags, &[])
    }

    /// As [`Self::worker_with`], with variables in its environment.
    pub(crate) fn worker_in(
        &self,
        config: &str,
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> Worker {
        std::fs::write(self.dir.join("naq.yaml"), config).unwrap();
        let mut command = self.command(&[&["worker"], flags].concat());
        command.envs(variables.iter().copied());
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        eventually("a worker is listed", || {
            let listed = self.naq(&["worker", "list", "--json"]).ended_with(0);
            !listed.json()["workers"].as_array().unwrap().is_empty()
        });
        Worker(Some(child))
    }

    /// Ctrl-C; gives the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        signal(&self.child, Signal::INT);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended already.
        let _ignored = self.child.kill();
        let _ignored = self.child.wait();
    }
}

/// `naq worker`, as long as it lives.
#[derive(Debug)]
pub(crate) struct Worker(Option<Child>);

impl Worker {
    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    pub(crate) fn signal(&self, with: Signal) {
        signal(self.0.as_ref().unwrap(), with);
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(mut self) -> Said {
        Said::of(self.0.take().unwrap().wait_with_output().unwrap())
    }

    /// Asks it to end.
    pub(crate) fn stop(mut self, with: Signal) -> Said {
        let child = self.0.take().unwrap();
        signal(&child, with);
        Said::of(child.wait_with_output().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ignored = child.kill();
            let _ignored = child.wait();
        }
    }
}

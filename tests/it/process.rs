//! A worker in a process of its own, which the tests may kill and stop.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use naq_jobs::Kind;
use naq_testing::eventually;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::setup::LONG;

/// It sleeps for so many milliseconds.
pub(crate) const WORK: Kind<u64, u64> = Kind::new("work");

/// It fails in so many attempts, then returns the number of the attempt.
pub(crate) const FAIL: Kind<u32, u32> = Kind::new("fail");

/// Sleeps for so many milliseconds, and fails if it is told so.
pub(crate) const STEP: Kind<(u64, bool), ()> = Kind::new("step");

/// A running `it-worker`; killed when dropped.
pub(crate) struct WorkerProcess(Child);

/// The file in which all worker processes of a test note what they really ran.
pub(crate) struct LedgerFile {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

/// One noted line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) what: String,
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) pid: u32,
    /// Microseconds since 1970.
    pub(crate) at: u64,
    /// 0: its job is not a strict one.
    pub(crate) fence: u64,
}

impl WorkerProcess {
    /// Lease of its jobs, if the settings do not say otherwise.
    pub(crate) const LEASE: Duration = Duration::from_secs(6);

    /// Starts one on the server at `url`, with further settings as environment variables.
    pub(crate) fn start(url: &str, ledger: &LedgerFile, settings: &[(&str, &str)]) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_it-worker"));
        Self::of(program, &[], url, ledger, settings)
    }

    /// As [`Self::start`], of another program.
    pub(crate) fn of(
        program: &Path,
        words: &[&str],
        url: &str,
        ledger: &LedgerFile,
        settings: &[(&str, &str)],
    ) -> Self {
        let child = Command::new(program)
            .args(words)
            .env("NAQ_NATS_URL", url)
            .env(
                "NAQ_DEFAULT_ACK_WAIT",
                format!("{}s", Self::LEASE.as_secs()),
            )
            .env("NAQ_RECONNECT_TIME_WAIT", "50ms")
            .env("IT_LEDGER", &ledger.path)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGKILL, and wait until it is gone.
    pub(crate) async fn kill(mut self) {
        self.0.kill().await.unwrap();
    }

    /// Waits until it has stopped itself (`NAQ_STOP_AT`); [`Self::signal`] lets it go on.
    pub(crate) async fn stopped(&self) {
        eventually(LONG, async || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
            // The name before it is in brackets, and may be anything.
            let state = stat
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.chars().next());
            (state == Some('T')).then_some(()).ok_or(state)
        })
        .await;
    }

    /// Waits until it has killed itself.
    pub(crate) async fn died(mut self) {
        let ended = tokio::time::timeout(LONG, self.0.wait()).await;
        let status = ended.expect("it reaches the place where it dies").unwrap();
        assert_eq!(status.signal(), Some(9), "{status}");
    }

    /// SIGTERM, and wait until it has ended; says whether it ended well.
    pub(crate) async fn terminate(self) -> bool {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits until it has ended by itself; says whether it ended well.
    pub(crate) async fn ended(mut self) -> bool {
        let ended = tokio::time::timeout(LONG, self.0.wait()).await;
        ended.unwrap().unwrap().success()
    }
}

impl LedgerFile {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        Self {
            _directory: directory,
            path,
        }
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// All lines so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let text = std::fs::read_to_string(self.path()).unwrap_or_default();
        text.lines()
            .map(|line| {
                let parts: Vec<&str> = line.split(' ').collect();
                Entry {
                    what: parts[0].to_owned(),
                    id: parts[1].to_owned(),
                    attempt: parts[2].parse().unwrap(),
                    pid: parts[3].parse().unwrap(),
                    at: parts[4].parse().unwrap(),
                    // The worker of the first build does not know it.
                    fence: parts.get(5).map_or(0, |fence| fence.parse().unwrap()),
                }
            })
            .collect()
    }

    /// Whether a handler of this process has written anything.
    pub(crate) fn has_seen(&self, pid: u32) -> bool {
        self.entries().iter().any(|entry| entry.pid == pid)
    }

    /// Waits for a line that fits.
    pub(crate) async fn wait_for(&self, limit: Duration, fits: impl Fn(&Entry) -> bool) -> Entry {
        eventually(limit, async || {
            let entries = self.entries();
            entries
                .iter()
                .find(|entry| fits(entry))
                .cloned()
                .ok_or(entries.len())
        })
        .await
    }

    /// How often each job has ended.
    pub(crate) fn ends(&self) -> HashMap<String, usize> {
        let mut ends = HashMap::new();
        for entry in self
            .entries()
            .into_iter()
            .filter(|entry| entry.what == "end")
        {
            *ends.entry(entry.id).or_default() += 1;
        }
        ends
    }
}

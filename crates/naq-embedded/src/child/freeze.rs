//! Waits until a process that was sent SIGSTOP stands.
//!
//! The signal is taken by one thread, which then stops the others: for a moment they go on, and a request that comes
//! right after the signal may still be answered.

use std::fs;
use std::time::Duration;

use rustix::process::Pid;
use tokio::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(1);

/// Waits until every thread of `pid` is stopped, where the system shows that (Linux); otherwise returns at once.
pub(crate) async fn until_frozen(pid: Pid) {
    let stands = async {
        while !all_stopped(pid) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    if timeout(DEADLINE, stands).await.is_err() {
        tracing::warn!(%pid, "nats-server does not stand still within {DEADLINE:?}");
    }
}

fn all_stopped(pid: Pid) -> bool {
    // Not Linux, or gone already.
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return true;
    };
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
        state.is_empty() || state.starts_with('T')
    })
}

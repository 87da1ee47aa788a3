//! Waiting for conditions, and looking at processes.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// Time that anything may take: long, so that a busy machine is no failure.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Polls `condition` until it holds; panics with `what` after [`SOON`].
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn pid(raw: u32) -> Pid {
    Pid::from_raw(i32::try_from(raw).unwrap()).unwrap()
}

/// Whether a process with this id exists and is not just waiting to be reaped.
pub(crate) fn is_alive(raw: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{raw}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().unwrap().starts_with(" Z"),
        Err(_) if cfg!(target_os = "linux") => false,
        Err(_) => rustix::process::test_kill_process(pid(raw)).is_ok(),
    }
}

pub(crate) fn kill_9(raw: u32) {
    rustix::process::kill_process(pid(raw), Signal::KILL).unwrap();
}

/// The processes whose command line mentions `text`.
pub(crate) fn mentioning(text: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|raw: &u32| {
            let line = std::fs::read(format!("/proc/{raw}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(text) && is_alive(*raw)
        })
        .collect()
}

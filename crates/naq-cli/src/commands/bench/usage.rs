//! What a process uses, as Linux tells it.

use std::time::Duration;

use crate::error::CliError;
use crate::exit_code;

/// CPU time of all threads of a process so far, to the nanosecond. Threads that have ended are not counted.
pub(super) fn cpu(pid: u32) -> Result<Duration, CliError> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|e| untold(pid, &e))?;
    let mut nanos = 0;
    for task in tasks.flatten() {
        // A thread may end while we look.
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        nanos += first_number(&text).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// CPU time of several processes so far.
pub(super) fn cpu_of(pids: &[u32]) -> Result<Duration, CliError> {
    pids.iter().map(|pid| cpu(*pid)).sum()
}

/// Resident memory of a process now, in bytes.
pub(super) fn memory(pid: u32) -> Result<u64, CliError> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let text = text.map_err(|e| untold(pid, &e))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(first_number).unwrap_or(0) * 1024)
}

/// Programs that have wanted a core in the last minute, on average.
pub(super) fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn untold(pid: u32, error: &std::io::Error) -> CliError {
    let text = format!("failed to see what process {pid} uses (this row needs Linux)");
    CliError::new(exit_code::INTERNAL, text).because(error)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_time_and_memory() {
        let pid = std::process::id();
        let before = cpu(pid).unwrap();
        while cpu(pid).unwrap() == before {
            std::hint::spin_loop();
        }
        assert!(memory(pid).unwrap() > 100_000);
        assert!(cpu(u32::MAX).is_err());
        assert!(load().is_some_and(|load| load >= 0.0));
    }
}

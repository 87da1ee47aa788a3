//! Programs that handle jobs, when their attempt ends early, and when they say too much.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tempfile::tempdir;

use super::command::{Dev, Worker, eventually};
use super::processes::{below, runs};

/// `polite` cleans up when it is asked to end; `deaf` and its child do not listen; `loud` writes 200 MB.
fn config(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"
workers:
  shutdown_timeout: 1s
  handlers:
    polite:
      command: [bash, -c, 'trap "touch {dir}/cleaned; exit 3" TERM; touch {dir}/started; while :; do sleep 0.05; done']
    deaf:
      command: [bash, -c, 'trap "" TERM; (trap "" TERM; sleep 77) & touch {dir}/started; wait; sleep 77']
      stop_grace: 300ms
    limited:
      command: [bash, -c, 'trap "touch {dir}/cleaned; exit 0" TERM; touch {dir}/started; while :; do sleep 0.05; done']
      timeout: 500ms
    loud:
      command: [bash, -c, 'head -c 200000000 /dev/zero']
      max_output: 1MiB
    weeps:
      command: [bash, -c, 'head -c 50000000 /dev/zero | tr "\\0" x >&2; echo the end >&2; exit 1']
"#
    )
}

fn started(dir: &Path) {
    eventually("the program runs", || dir.join("started").exists());
}

/// The programs of the worker, once one runs.
fn programs(worker: &Worker, dir: &Path) -> Vec<u32> {
    started(dir);
    below(worker.id())
}

fn all_gone(programs: &[u32]) {
    assert!(!programs.is_empty());
    eventually("all programs are gone", || {
        !programs.iter().any(|pid| runs(*pid))
    });
}

#[test]
fn a_cancelled_program_is_asked_first_and_what_does_not_listen_is_killed_with_its_children() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(&config(dir.path()));
    dev.naq(&["enqueue", "polite", "--id", "a"]).ended_with(0);
    let asked = programs(&worker, dir.path());
    dev.naq(&["job", "cancel", "a", "--grace", "30s"])
        .ended_with(0);
    // It ends by itself long before the grace does.
    all_gone(&asked);
    assert!(dir.path().join("cleaned").exists());
    fs::remove_file(dir.path().join("started")).unwrap();

    dev.naq(&["enqueue", "deaf", "--id", "b"]).ended_with(0);
    let deaf = programs(&worker, dir.path());
    assert!(deaf.len() >= 2, "{deaf:?}");
    dev.naq(&["job", "cancel", "b", "--grace", "300ms"])
        .ended_with(0);
    all_gone(&deaf);
    for id in ["a", "b"] {
        assert_eq!(dev.naq(&["job", "status", id]).out, "cancelled\n");
    }
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn at_its_time_limit_a_program_is_asked_then_killed_and_the_job_has_timed_out() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(&config(dir.path()));
    let line = ["enqueue", "deaf", "--id", "b", "--timeout", "500ms"];
    dev.naq(&line).ended_with(0);
    let deaf = programs(&worker, dir.path());
    all_gone(&deaf);
    let said = dev.naq(&["result", "b", "--wait"]).ended_with(5);
    assert!(said.err.contains("timed out after 500ms"), "{said:?}");
    // The limit of the handler, and one that the job does not say; that it ends well then comes too late.
    let said = dev.naq(&["enqueue", "limited", "--wait=30s"]).ended_with(5);
    assert!(said.err.contains("bash timed out after 500ms"), "{said:?}");
    assert!(dir.path().join("cleaned").exists());
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn a_worker_that_stops_asks_its_programs_and_hands_their_jobs_back() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(&config(dir.path()));
    dev.naq(&["enqueue", "polite", "--id", "a"]).ended_with(0);
    let asked = programs(&worker, dir.path());
    let said = worker.stop(Signal::TERM).ended_with(0);
    assert!(said.err.contains("1 handed back"), "{said:?}");
    assert!(dir.path().join("cleaned").exists());
    all_gone(&asked);
    // Another worker has it at once.
    fs::remove_file(dir.path().join("started")).unwrap();
    let next = dev.worker(&config(dir.path()));
    started(dir.path());
    next.stop(Signal::TERM).ended_with(0);
}

#[test]
fn output_without_end_is_bounded_in_memory_and_refused_by_name() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let worker = dev.worker(&config(dir.path()));
    let said = dev.naq(&["enqueue", "loud", "--wait=60s"]).ended_with(5);
    assert!(
        said.err.contains("more than 1048576 bytes") && said.err.contains("max_output"),
        "{said:?}"
    );
    let said = dev.naq(&["enqueue", "weeps", "--wait=60s"]).ended_with(5);
    assert!(
        said.err.contains("the end") && said.err.len() < 10_000,
        "{said:?}"
    );
    let status = fs::read_to_string(format!("/proc/{}/status", worker.id())).unwrap();
    let peak = status.lines().find_map(|line| {
        let peak = line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?;
        peak.trim().parse::<u64>().ok()
    });
    assert!(peak.unwrap() < 150_000, "{peak:?} kB");
    worker.stop(Signal::TERM).ended_with(0);
}

//! `naq dev`: a store that stays.

use naq_testing::HeldPort;
use rustix::process::Signal;
use tempfile::tempdir;

use super::command::{Dev, eventually, run};

#[test]
fn a_second_start_finds_the_jobs_of_the_first() {
    let dir = tempdir().unwrap();
    let first = Dev::start(dir.path());
    assert!(
        first.banner.contains("found: 0 waiting, 0 scheduled"),
        "{}",
        first.banner
    );
    for _ in 0..3 {
        first.naq(&["enqueue", "mail", "1"]).ended_with(0);
    }
    first
        .naq(&["enqueue", "mail", "1", "--delay", "1h"])
        .ended_with(0);
    assert_eq!(first.stop(), Some(0));
    let second = Dev::start(dir.path());
    assert!(
        second.banner.contains("found: 3 waiting, 1 scheduled"),
        "{}",
        second.banner
    );
}

#[test]
fn a_store_or_a_port_in_use_is_said() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let said = run(dir.path(), &["dev", "--port", "0"]).ended_with(4);
    assert!(said.err.contains("./.naq is in use"), "{said:?}");
    let port = dev.url.rsplit(':').next().unwrap();
    let said = run(dir.path(), &["dev", "--store", "other", "--port", port]).ended_with(4);
    assert!(
        said.err.contains(&format!("port {port} is in use")),
        "{said:?}"
    );
}

#[test]
fn a_worker_goes_on_when_the_server_is_started_again() {
    let dir = tempdir().unwrap();
    let port = HeldPort::take().unwrap();
    let dev = Dev::start_on(dir.path(), port.number());
    let worker = dev.worker("workers: {handlers: {echo: {command: [cat]}}}");
    assert_eq!(dev.stop(), Some(0));
    let again = Dev::start_on(dir.path(), port.number());
    again
        .naq(&["enqueue", "echo", "7", "--id", "seven"])
        .ended_with(0);
    eventually("the worker has run the job", || {
        again.naq(&["result", "seven"]).code == Some(0)
    });
    worker.stop(Signal::INT).ended_with(0);
}

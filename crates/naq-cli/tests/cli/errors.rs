//! What can be wrong before a job is touched.

use std::fs;

use tempfile::tempdir;

use super::command::{Dev, Said, naq, run, run_with_input};

/// Nothing listens on port 1 of this host.
const NOBODY: &str = "nats://127.0.0.1:1";

#[test]
fn without_a_server_the_hint_says_how_to_start_one() {
    let dir = tempdir().unwrap();
    fs::write(
        dir.path().join("naq.yaml"),
        "workers: {handlers: {a: {command: [cat]}}}",
    )
    .unwrap();
    for args in [
        &["enqueue", "mail", "1"][..],
        &["result", "X"],
        &["dead", "list"],
        &["worker"],
        &["list-workers", "--json"],
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["-u", NOBODY]).collect();
        let said = run(dir.path(), &args).ended_with(4);
        assert_eq!(said.out, "");
        assert!(
            said.err.contains("naq dev") && said.err.contains(NOBODY),
            "{said:?}"
        );
    }
}

#[test]
fn a_password_in_the_url_is_not_shown() {
    let dir = tempdir().unwrap();
    let said = run(
        dir.path(),
        &["dead", "list", "-u", "nats://me:hunter2@127.0.0.1:1"],
    )
    .ended_with(4);
    assert!(!said.err.contains("hunter2"), "{said:?}");
}

#[test]
fn a_wrong_configuration_is_named_with_file_and_line() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("naq.yaml"), "workers:\n  concurency: 4\n").unwrap();
    let said = run(dir.path(), &["dead", "list"]).ended_with(3);
    assert!(said.err.contains("naq.yaml:2:"), "{said:?}");
    let said = run(dir.path(), &["--config", "missing.yaml", "dead", "list"]).ended_with(3);
    assert!(said.err.contains("missing.yaml"), "{said:?}");
}

#[test]
fn a_worker_without_handlers_is_told_what_to_write() {
    let said = run(tempdir().unwrap().path(), &["worker"]).ended_with(3);
    assert!(said.err.contains("handlers:\n"), "{said:?}");
}

#[test]
fn a_payload_that_is_too_large_is_refused() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    let payload = format!("\"{}\"", "x".repeat(70_000_000));
    let args = ["-u", &dev.url, "enqueue", "mail", "-"];
    let said = run_with_input(dir.path(), &args, &payload).ended_with(2);
    assert!(said.err.contains("payloads.max_size"), "{said:?}");
}

#[test]
fn a_mistake_in_json_is_shown_with_its_place() {
    let said = run(
        tempdir().unwrap().path(),
        &["enqueue", "mail", "{\"to\": Ada}"],
    )
    .ended_with(2);
    assert!(said.err.contains("line 1 column 8"), "{said:?}");
}

#[test]
fn the_level_of_the_log_can_be_a_variable() {
    let dir = tempdir().unwrap();
    let args = ["connection", "test", "--timeout", "1s", "-u", NOBODY];
    let said = |level: &str| {
        let mut command = naq(dir.path(), args);
        Said::of(command.env("NAQ_LOG_LEVEL", level).output().unwrap())
    };
    // What is shown as the error of the command is logged only if a level is asked for.
    let is_logged = |level| said(level).err.contains("ERROR ");
    assert!(!is_logged("") && !is_logged("off"));
    assert!(is_logged("DEBUG") && is_logged("CRITICAL"));
    let wrong = said("loud");
    assert!(
        wrong.err.contains("NAQ_LOG_LEVEL: \"loud\" is no level"),
        "{wrong:?}"
    );
}

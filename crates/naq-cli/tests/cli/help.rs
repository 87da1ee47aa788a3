//! What needs no server.

use tempfile::tempdir;

use super::command::run;

#[test]
fn every_command_has_help() {
    let dir = tempdir().unwrap();
    for command in [
        "",
        "bench",
        "demo",
        "dev",
        "worker",
        "worker list",
        "list-workers",
        "enqueue",
        "result",
        "dead",
        "dead list",
        "dead show",
        "dead retry",
        "dead delete",
        "config",
        "config init",
        "config show",
        "config validate",
        "config schema",
        "connection",
        "connection test",
        "connection wait",
        "connection measure",
        "connection watch",
        "connection doctor",
        "completion",
    ] {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let said = run(dir.path(), &args).ended_with(0);
        assert!(said.out.contains("Usage: naq"), "{command}: {said:?}");
        assert_eq!(said.err, "", "{command}");
    }
    let said = run(dir.path(), &["--help"]);
    assert!(said.out.contains("Exit codes:"), "{said:?}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let said = run(tempdir().unwrap().path(), &["--version"]).ended_with(0);
    assert_eq!(said.out, format!("naq {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_ends_with_2() {
    let dir = tempdir().unwrap();
    for line in [
        "",
        "nonsense",
        "enqueue",
        "enqueue mail {broken",
        "enqueue mail @missing.json",
        "enqueue mail 1 --timeout soon",
        "enqueue mail 1 --at tomorrow",
        "enqueue mail 1 --delay 1s --at 2030-01-01T00:00:00Z",
        "enqueue mail 1 --retries -1",
        "enqueue mail 1 --retry-delay 1s,2s --retry-strategy exponential",
        "enqueue no/kind 1",
        "enqueue mail 1 --queue a.b",
        "enqueue mail 1 --id a.b",
        "result",
        "result a.b",
        "result a --timeout 1s",
        "dead",
        "dead list --limit 0",
        "demo --workers 1",
        "demo missing",
        "demo -u nats://localhost",
        "dev --port 99999",
        "connection",
        "connection nonsense",
        "connection test --timeout 0",
        "connection measure -n 0",
        "connection wait --timeout never",
        "config validate a b",
        "completion nonsense",
    ] {
        let args: Vec<&str> = line.split_whitespace().collect();
        let said = run(dir.path(), &args).ended_with(2);
        assert_eq!(said.out, "", "{line}");
        assert!(!said.err.is_empty(), "{line}");
    }
}

#[test]
fn completion_scripts_name_the_commands() {
    let dir = tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let said = run(dir.path(), &["completion", shell]).ended_with(0);
        assert!(said.out.contains("enqueue"), "{shell}");
    }
}

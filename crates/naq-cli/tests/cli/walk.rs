//! Every command there is, found by walking through the help.

use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use super::command::{Dev, run};

/// The commands below `path`, as its help lists them.
fn below(dir: &Path, path: &[String]) -> Vec<Vec<String>> {
    let args: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let help = run(dir, &args).ended_with(0).out;
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    // A line that goes on is indented deeper.
    let names = listed.filter_map(|line| {
        let name = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '))?;
        name.split_whitespace().next()
    });
    let names = names.filter(|name| *name != "help");
    names
        .map(|name| path.iter().cloned().chain([name.to_owned()]).collect())
        .collect()
}

/// AC-35.
#[test]
fn every_command_has_help_and_a_version_and_refuses_what_it_does_not_know() {
    let dir = tempdir().unwrap();
    let mut left = below(dir.path(), &[]);
    let mut seen = 0;
    while let Some(path) = left.pop() {
        let with = |flag: &'static str| {
            let args: Vec<&str> = path.iter().map(String::as_str).chain([flag]).collect();
            run(dir.path(), &args)
        };
        let help = with("--help").ended_with(0);
        assert!(
            help.out.contains("Usage: naq") && help.err.is_empty(),
            "{help:?}"
        );
        let version = with("--version").ended_with(0);
        assert!(
            version.out.contains(env!("CARGO_PKG_VERSION")),
            "{version:?}"
        );
        let refused = with("--no-such-flag").ended_with(2);
        assert!(refused.out.is_empty(), "{path:?}: {refused:?}");
        assert!(
            refused.err.contains("--no-such-flag"),
            "{path:?}: {refused:?}"
        );
        left.extend(below(dir.path(), &path));
        seen += 1;
    }
    assert!(seen >= 50, "only {seen} commands were found");
}

/// AC-35.
#[test]
fn what_json_is_asked_of_prints_one_json_value_and_ends_as_documented() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    dev.naq(&["enqueue", "mail", "1", "--id", "j1", "--queue", "mail"])
        .ended_with(0);
    for (line, code) in [
        ("enqueue mail 1 --id j2 --json", 0),
        ("job status j1 --json", 0),
        ("job status unknown --json", 7),
        ("job show j1 --json", 0),
        ("job list --json", 0),
        ("job delete j2 --json", 0),
        ("explain j1 --json", 0),
        ("explain unknown --json", 7),
        ("result list --json", 0),
        ("result purge --older-than 1h --json", 0),
        ("queue list --json", 0),
        ("queue show mail --json", 0),
        ("queue purge other --dry-run --json", 0),
        ("purge mail --dry-run --json", 0),
        ("top --json", 0),
        ("dead list --json", 0),
        ("dead groups --json", 0),
        ("dead retry --all --dry-run --json", 0),
        ("dead delete --all --dry-run --json", 0),
        ("dead purge --all --json", 0),
        ("worker list --json", 0),
        ("worker status --json", 0),
        ("list-workers --json", 0),
        ("schedule list --json", 0),
        ("schedule preview @daily --json", 0),
        ("config show --json", 0),
        ("connection test --json", 0),
        ("connection doctor --json", 0),
        ("system version --json", 0),
        ("system health --json", 0),
        ("system config --json", 0),
        ("system sweep --dry-run --json", 0),
        ("scheduler list --json", 0),
        ("job control j1 delete --json", 0),
    ] {
        let args: Vec<&str> = line.split_whitespace().collect();
        let said = dev.naq(&args).ended_with(code);
        assert!(matches!(said.json(), Value::Object(_)), "{line}: {said:?}");
    }
}

/// AC-35.
#[test]
fn an_error_is_json_if_json_is_asked_for() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    for (line, code, part) in [
        ("job show unknown --json", 7, "nothing is stored"),
        ("job cancel unknown --json", 7, "unknown"),
        ("result unknown --json", 7, "no outcome"),
        ("dead show unknown --json", 7, "no dead letter"),
        ("worker quiet unknown --json", 7, "no worker"),
        ("schedule show unknown --json", 7, "unknown"),
        ("queue show a*b --json", 2, "not allowed"),
        ("job show --json", 2, "<ID>"),
        ("worker scale w 0 --json", 2, "1..=1000"),
        ("enqueue mail {x --json", 2, "not JSON"),
        ("enqueue mail 1 --delay -5 --json", 2, "write it like"),
        ("enqueue mail 1 --retries -1 --json", 2, "'--retries <N>'"),
        ("job list --config no.yaml --json", 3, "no.yaml"),
        ("queue list -u nats://127.0.0.1:1 --json", 4, "127.0.0.1:1"),
    ] {
        let args: Vec<&str> = line.split_whitespace().collect();
        let said = dev.naq(&args).ended_with(code);
        assert!(said.out.is_empty(), "{line}: {said:?}");
        let error: Value = serde_json::from_str(&said.err)
            .unwrap_or_else(|error| panic!("{line}: {error}: {said:?}"));
        assert_eq!(error["error"]["code"], code, "{line}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{line}: {message}");
    }
}

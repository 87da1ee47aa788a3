//! What needs no server.

use tempfile::tempdir;

use super::command::run;

#[test]
fn the_help_names_the_exit_codes() {
    let said = run(tempdir().unwrap().path(), &["--help"]).ended_with(0);
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
        "schedule",
        "schedule preview",
        "workflow",
        "workflow submit",
        "workflow show",
        "workflow signal",
        "workflow cancel",
        "workflow retry",
        "workflow delete",
        "schedule preview @reboot",
        "schedule create a.b mail --every 1s",
        "schedule create a mail --every 1s --cron @daily",
        "schedule create a mail --every 1s --repeat 0",
        "schedule create a mail --every 1s --catch-up most",
        "schedule list --status unknown",
        "schedule preview @daily --zone Mars/Olympus",
        "schedule preview @daily --count 0",
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

#[test]
fn a_preview_shows_local_times_and_marks_changes_of_the_clocks() {
    let dir = tempdir().unwrap();
    let preview = |more: &[&str]| {
        let line = [
            "schedule",
            "preview",
            "30 2 * * *",
            "--zone",
            "Europe/Amsterdam",
        ];
        run(dir.path(), &[&line[..], more].concat()).ended_with(0)
    };
    let said = preview(&["--from", "2024-03-30T12:00:00Z", "--count", "2"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 3, "{said:?}");
    assert!(
        lines[1].contains("Sun 2024-03-31 03:00:00 +02:00"),
        "{said:?}"
    );
    assert!(lines[1].contains("2024-03-31 01:00:00"), "{said:?}");
    assert!(lines[1].contains("made up"), "{said:?}");
    assert!(!lines[2].contains("made up"), "{said:?}");
    let autumn = ["--from", "2024-10-26T12:00:00Z", "--dst", "twice", "--json"];
    let said = preview(&autumn).json();
    assert_eq!(said["firings"][0]["local"], "2024-10-27T02:30:00+02:00");
    assert_eq!(said["firings"][1]["local"], "2024-10-27T02:30:00+01:00");
    assert_eq!(said["firings"][1]["dst"], "second_pass");
    assert_eq!(said["firings"].as_array().unwrap().len(), 10);
}

#[test]
fn a_wrong_expression_is_told_which_field_and_what_is_allowed() {
    let dir = tempdir().unwrap();
    for (cron, what) in [
        ("0 25 * * *", "the field hour `25`: 25 is not from 0 to 23"),
        ("0 0 30 2 *", "never fits"),
        ("0 9 * *", "write five"),
    ] {
        let said = run(dir.path(), &["schedule", "preview", cron]).ended_with(2);
        assert!(said.err.contains(what), "{said:?}");
    }
}
